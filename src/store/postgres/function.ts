/**
 * An operation as a function in the server. What decides between its statements (how many rows one touched, whether a key
 * was taken) is decided there, and undone there by a subtransaction: so a whole batch goes in one piece and costs one way
 * to the server and back (docs/decisions/0014-…). The functions are in `pg_temp`: they live and die with the connection.
 */
import type { OperationData, StatementData } from '../wire.ts'
import { types } from './values.ts'

/** What the last row of its answer says in `rtk:kind`. */
export const Outcome = Object.freeze({ kept: '1', refused: '2' })

/** The outcome of an expectation that is not met, inside the server. */
const REFUSED = 'RTK01'

export function functionName(data: OperationData): string {
  return `rtk_${data.slot}`
}

/**
 * True for what needs no function: a read, or a write of one statement that refuses nothing. The command's tag tells how
 * many rows it touched, and an error undoes all of it.
 */
export function isPlain(data: OperationData): boolean {
  return data.does === 'read' || (!data.guarded && data.statements.length === 1 && data.statements[0]?.each === false)
}

/** The statement as PostgreSQL has it: `$1` … for parameters, then the values of the item. */
export function statementText(statement: StatementData): string {
  return joined(statement, (pick) => `$${pick + 1}`)
}

function joined({ pieces, picks }: StatementData, place: (pick: number) => string): string {
  return pieces.reduce((text, piece, index) => `${text}${place(picks[index - 1] as number)}${piece}`)
}

/** Types of `$1` … of `statementText`. */
export function parameterOids(data: OperationData): readonly number[] {
  return [...data.params, ...data.items].map(({ kind }) => types[kind].oid)
}

/** The call, and the types of its arguments: the parameters, then for each field of the items an array. */
export function callOf(data: OperationData): { readonly text: string; readonly oids: readonly number[] } {
  const oids = [
    ...data.params.map(({ kind }) => types[kind].oid),
    ...data.items.map(({ kind }) => types[kind].arrayOid),
  ]
  return { text: `select * from pg_temp.${functionName(data)}(${oids.map((_, index) => `$${index + 1}`)})`, oids }
}

/**
 * Makes the function. It answers the rows that the last statement returned, in the order of the declaration, and then one
 * row with the outcome (`rtk:kind`) and the rows changed or the statement that refused (`rtk:n`). `returning` tells for
 * each statement whether it returns rows.
 */
export function functionText(data: OperationData, returning: readonly boolean[]): string {
  const args = [
    ...data.params.map(({ kind }) => types[kind].name),
    ...data.items.map(({ kind }) => `${types[kind].name}[]`),
  ]
  const columns = data.row.map(({ kind }, index) => `"rtk:c${index}" ${types[kind].name}, `).join('')
  const body = data.statements.map((statement, index) => step(data, statement, index, returning[index] === true))
  const cleared = data.row.map((_, index) => `"rtk:c${index}" := null; `).join('')
  const answer = (kind: string, n: string) => `${cleared}"rtk:kind" := ${kind}; "rtk:n" := ${n}; return next; return;`
  const work = data.guarded
    ? `begin
${body.join('\n')}
exception when unique_violation or sqlstate '${REFUSED}' then
${answer(Outcome.refused, '"rtk:at"')}
end;`
    : body.join('\n')
  return `create function pg_temp.${functionName(data)}(${args.join(', ')})
returns table (${columns}"rtk:kind" integer, "rtk:n" bigint) language plpgsql as $rtk$
declare "rtk:at" bigint := 0; "rtk:changed" bigint := 0; "rtk:touched" bigint; "rtk:row" record; "rtk:item" record;
begin
${work}
${answer(Outcome.kept, '"rtk:changed"')}
end $rtk$`
}

function step(data: OperationData, statement: StatementData, index: number, returns: boolean): string {
  const own = data.params.length
  const sql = joined(statement, (pick) => (pick < own ? `$${pick + 1}` : `"rtk:item"."v${pick - own}"`))
  const last = index === data.statements.length - 1
  const handed =
    last && data.row.length > 0
      ? `${data.row.map(({ name }, at) => `"rtk:c${at}" := "rtk:row"."${name}";`).join(' ')} return next;`
      : ''
  // What only looks has changed nothing.
  const counts = !(returns && /^\s*(select|values)\b/i.test(statement.pieces[0] ?? ''))
  const run = returns
    ? `"rtk:touched" := 0;
for "rtk:row" in
${sql}
loop "rtk:touched" := "rtk:touched" + 1; ${handed} end loop;`
    : `${sql}
;
get diagnostics "rtk:touched" = row_count;`
  const expected =
    statement.expect === ''
      ? ''
      : `if "rtk:touched" ${statement.expect === 'some' ? '=' : '>'} 0 then raise sqlstate '${REFUSED}'; end if;`
  const lines = [`"rtk:at" := ${index};`, run]
  if (counts) lines.push('"rtk:changed" := "rtk:changed" + "rtk:touched";')
  if (expected !== '') lines.push(expected)
  const once = lines.join('\n')
  if (!statement.each) return once
  const arrays = data.items.map(({ kind }, at) => `$${own + at + 1}::${types[kind].name}[]`).join(', ')
  const names = data.items.map((_, at) => `"v${at}"`).join(', ')
  return `for "rtk:item" in select * from unnest(${arrays}) as "rtk:items" (${names}) loop
${once}
end loop;`
}
