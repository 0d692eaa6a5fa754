/**
 * The server's side of mechanisms that are one message of the client and one question to whoever knows: PLAIN, ANONYMOUS, EXTERNAL,
 * OAUTHBEARER and the hashed tokens.
 */
import { FAILURE } from './fault.ts'
import type { SaslFailure, ServerAnswer, ServerMechanism, ServerStep } from './sasl.types.ts'

/** What is said of a message: a question, after which comes `answered`, or that it is no good. */
export type ServerQuestion = Exclude<ServerStep, { kind: 'challenge' | 'success' }>

export type ServerTold = Exclude<ServerAnswer, { kind: 'unavailable' | 'held-off' }>

/** start ─no initial response─▶ first ─message─▶ asked ─answer─▶ done */
export abstract class OneMessageServer implements ServerMechanism {
  #state: 'start' | 'first' | 'asked' | 'done' = 'start'
  #username = ''

  /** Prepared; '' until it is known. */
  get username(): string {
    return this.#username
  }

  protected isOf(username: string): void {
    this.#username = username
  }

  /** Whether a client that sends nothing with its choice is asked for the message (RFC 6120 section 6.4.2); else '' is one. */
  protected get asksFirst(): boolean {
    return true
  }

  /** Undefined: the client has sent nothing. */
  protected abstract message(input: Uint8Array | undefined): ServerQuestion

  protected abstract answered(answer: ServerTold): ServerStep

  step(input: Uint8Array | undefined): ServerStep {
    const state = this.#state
    if (state === 'start' && input === undefined && this.asksFirst) {
      this.#state = 'first'
      return { kind: 'challenge', data: new Uint8Array(0) }
    }
    this.#state = 'done'
    if (state !== 'start' && state !== 'first') return FAILURE.outOfOrder
    const question = this.message(input)
    if (question.kind !== 'failure') this.#state = 'asked'
    return question
  }

  resume(answer: ServerAnswer): ServerStep {
    const isExpected = this.#state === 'asked'
    this.#state = 'done'
    if (!isExpected) return FAILURE.outOfOrder
    if (answer.kind === 'unavailable') return FAILURE.unavailable
    return answer.kind === 'held-off' ? FAILURE.heldOff : this.answered(answer)
  }

  /** To `verify` and `vouch`. */
  protected verified(answer: ServerTold): ServerStep {
    if (answer.kind !== 'verified') return FAILURE.outOfOrder
    if (answer.result === 'right') return { kind: 'success', username: this.#username }
    return refusals[answer.result]
  }
}

const refusals = {
  wrong: FAILURE.credentials,
  'account-disabled': FAILURE.disabled,
  'credentials-expired': FAILURE.expired,
} satisfies Record<string, SaslFailure>
