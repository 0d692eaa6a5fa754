/** One batch, one transaction: what the operations of a batch answer, also when one of them fails. */
import type { WorldError } from '../../world/error.ts'
import { Answer, Reply, type WireValue } from '../wire.ts'
import type { Call, Piped } from './connection.ts'
import { endsTransaction, isCollision, postgresError } from './failure.ts'
import { answer, type BatchCall } from './prepared.ts'

/** So often the same is asked again that another transaction was in the way of. */
const MOST_COLLISIONS = 5

/** After so many that failed, what is left of a batch is asked one by one: it would be asked anew for each further one. */
const MOST_FAULTS = 4

interface Open extends BatchCall {
  /** Its place in the batch. */
  readonly at: number
}

/** The state of one batch on its way. */
export class BatchRun {
  readonly #pipe: (calls: readonly Call[]) => Promise<Piped>
  readonly #answers: WireValue[][]
  #commits = 0
  #state: WorldError | undefined

  constructor(pipe: (calls: readonly Call[]) => Promise<Piped>, count: number) {
    this.#pipe = pipe
    this.#answers = Array.from({ length: count }, () => [])
  }

  /**
   * Runs the calls and gives the answer to the batch, but for the time. What one operation does wrong is its answer; the
   * others are asked again without it, which is what undoing it alone comes to. Rejects when the connection is lost, and
   * with RTK_STORE_READ_ONLY, because then no write can succeed here.
   */
  async run(calls: readonly BatchCall[]): Promise<WireValue[]> {
    await this.#settle(calls.map((call, at) => ({ ...call, at })))
    const { code, message } = this.#state ?? { code: '', message: '' }
    const reply: WireValue[] = []
    reply[Reply.engineMs] = 0
    reply[Reply.commits] = this.#commits
    reply[Reply.stateCode] = code
    reply[Reply.stateText] = message
    for (const words of this.#answers) for (const word of words) reply.push(word)
    return reply
  }

  async #settle(calls: readonly Open[]): Promise<void> {
    let open = calls
    let collisions = 0
    let faults = 0
    while (open.length > 0) {
      const { answers, failure } = await this.#pipe(open.map(({ call }) => call))
      if (failure === undefined) {
        open.forEach((one, index) => {
          this.#answer(one, answers[index] ?? { rows: [], changed: 0 })
        })
        if (open.some(({ operation }) => !operation.isRead)) this.#commits = 1
        return
      }
      if (isCollision(failure) && ++collisions <= MOST_COLLISIONS) continue
      const guilty = open[answers.length]
      const error = postgresError(failure, guilty === undefined ? 'committing' : about(guilty))
      if (error.code === 'RTK_STORE_READ_ONLY') throw error
      open = this.#without(open, guilty, error)
      if (++faults === MOST_FAULTS) return this.#alone(open)
    }
  }

  async #alone(open: readonly Open[]): Promise<void> {
    for (const one of open) await this.#settle([one])
  }

  /** Answers what failed, and gives the rest. */
  #without(open: readonly Open[], guilty: Open | undefined, error: WorldError): readonly Open[] {
    const isWhole = guilty === undefined || endsTransaction(error)
    if (endsTransaction(error)) this.#state = error
    const failed = (one: Open) => (isWhole ? !one.operation.isRead || one === guilty : one === guilty)
    for (const one of open) if (failed(one)) this.#fail(one, error)
    const rest = open.filter((one) => !failed(one))
    // Nothing but reads, and yet it could not be ended: asking again would never end.
    if (rest.length < open.length) return rest
    for (const one of open) this.#fail(one, error)
    return []
  }

  #fail({ at }: Open, { code, message }: WorldError): void {
    this.#answers[at] = [Answer.error, code, message]
  }

  #answer(one: Open, answered: Piped['answers'][number]): void {
    try {
      this.#answers[one.at] = answer(one.operation, answered)
    } catch (error) {
      this.#fail(one, postgresError(error, about(one)))
    }
  }
}

function about({ operation }: Open): string {
  return `operation ${operation.data.name}`
}
