import type { Operations, Problem, ProblemDocument, Session } from './schema'

/** What the server refused, or that it did not answer. */
export class ApiError extends Error {
  override name = 'ApiError'
  constructor(
    /** Stable and dotted; `network`, `timeout` and `unreadable` are the console's own. */
    readonly code: string,
    /** The server's own sentence, shown where no translation exists. */
    message: string,
    /** HTTP status; 0 where there was no answer. */
    readonly status: number,
    readonly params: Record<string, unknown> = {},
    readonly problems: Problem[] = [],
    readonly requestId = '',
    /** Seconds to wait, from Retry-After; 0 if the server did not say. */
    readonly retryAfter = 0,
  ) {
    super(message)
  }
}

/** JSON that is sent byte for byte, for documents whose spelling and order have to survive. */
export class JsonText {
  constructor(readonly text: string) {}
}

type Operation = keyof Operations & string
type Part<O extends Operation, P extends string> = P extends keyof Operations[O] ? Operations[O][P] : never
type Field<Name extends string, T> = [T] extends [never] ? unknown : { [K in Name]: T }
type Optional<Name extends string, T> = [T] extends [never] ? unknown : { [K in Name]?: T }

/** What an operation takes: its path parameters and body, a query where it has one. */
export type Input<O extends Operation> = Field<'path', Part<O, 'path'>> &
  Optional<'query', Partial<Part<O, 'query'>>> &
  Field<'body', [Part<O, 'body'>] extends [never] ? never : Part<O, 'body'> | JsonText> & {
    /** The ETag of the version that was changed. */
    ifMatch?: string
    signal?: AbortSignal
    /** Milliseconds; default 15 000. */
    timeout?: number
  }

type Needs<O extends Operation> = [Part<O, 'path'>] extends [never] ? ([Part<O, 'body'>] extends [never] ? false : true) : true

/** An answer with its head. */
export interface Answer<T> {
  data: T
  /** For If-Match; empty if the answer has none. */
  etag: string
  status: number
  /** The body as it came. */
  text: string
}

export const base = '/api/v1'

let csrf = ''
let ended: () => void = () => undefined
let heard: (answered: boolean) => void = () => undefined

/** Remembers what the session says for later writes. */
export function writeAs(session: Session | null): void {
  csrf = session?.csrf ?? ''
}

/** Says what to do when the session has ended, and whom to tell whether the server answers. */
export function onTransport(handlers: { sessionEnded: () => void; heard: (answered: boolean) => void }): void {
  ended = handlers.sessionEnded
  heard = handlers.heard
}

/** The address of an operation. Parameters without a value are left out. */
export function address(path: string, params: Record<string, unknown> = {}, query: Record<string, unknown> = {}): string {
  const filled = path.replace(/\{(\w+)\}/g, (_, name: string) => encodeURIComponent(String(params[name])))
  const search = new URLSearchParams()
  for (const [name, value] of Object.entries(query)) {
    if (value !== undefined && value !== '') search.set(name, String(value))
  }
  const text = search.toString()
  return base + filled + (text && `?${text}`)
}

/** Calls an operation of the API and returns what it answers with. */
export async function call<O extends Operation>(
  operation: O,
  ...[input]: Needs<O> extends true ? [input: Input<O>] : [input?: Input<O>]
): Promise<Part<O, 'response'>> {
  return (await exchange(operation, input as Input<O>)).data
}

/** Like call, with the ETag. */
export async function exchange<O extends Operation>(operation: O, input?: Input<O>): Promise<Answer<Part<O, 'response'>>> {
  const given = (input ?? {}) as {
    path?: Record<string, unknown>
    query?: Record<string, unknown>
    body?: unknown
    ifMatch?: string
    signal?: AbortSignal
    timeout?: number
  }
  const [method = 'GET', path = ''] = operation.split(' ')
  const headers: Record<string, string> = { Accept: 'application/json' }
  if (method !== 'GET' && csrf) headers['X-CSRF-Token'] = csrf
  if (given.ifMatch) headers['If-Match'] = given.ifMatch
  if (given.body !== undefined) {
    headers['Content-Type'] = method === 'PATCH' && path !== '/me' ? 'application/merge-patch+json' : 'application/json'
  }
  const timeout = given.timeout ?? 15_000
  const limit = AbortSignal.timeout(timeout)
  const signal = given.signal ? AbortSignal.any([given.signal, limit]) : limit
  let response: Response
  let text: string
  try {
    response = await fetch(address(path, given.path, given.query), {
      method,
      headers,
      body: given.body instanceof JsonText ? given.body.text : given.body === undefined ? undefined : JSON.stringify(given.body),
      signal,
      credentials: 'same-origin',
      cache: 'no-store',
    })
    text = await response.text()
  } catch (cause) {
    if (given.signal?.aborted) throw cause // the caller went away; nothing is wrong
    heard(false)
    if (limit.aborted) throw new ApiError('timeout', 'The server did not answer in time.', 0, { ms: timeout })
    throw new ApiError('network', 'The server did not answer.', 0)
  }
  if (!response.ok) {
    const error = refusal(response, text)
    // 502 to 504 without a document come from a proxy before a dashboard that is away.
    heard(error.code !== 'unreadable' || response.status < 502)
    if (error.status === 401 && operation !== 'POST /session') ended()
    throw error
  }
  heard(true)
  const data = text === '' ? undefined : parse(response, text)
  return { data: data as Part<O, 'response'>, etag: response.headers.get('ETag') ?? '', status: response.status, text }
}

function parse(response: Response, text: string): unknown {
  if (!/json/.test(response.headers.get('Content-Type') ?? '')) return text
  try {
    return JSON.parse(text)
  } catch {
    throw new ApiError('unreadable', 'The answer is not valid JSON.', response.status)
  }
}

function refusal(response: Response, text: string): ApiError {
  const wait = Number(response.headers.get('Retry-After') ?? '0') || 0
  try {
    const p = JSON.parse(text) as ProblemDocument
    if (typeof p.code === 'string') {
      const message = typeof p.title === 'string' ? p.title : p.code
      return new ApiError(p.code, message, response.status, p.params ?? {}, p.problems ?? [], p.requestId ?? '', wait)
    }
  } catch {
    // Not a problem document: something between us and the dashboard answered.
  }
  return new ApiError('unreadable', `${response.status} ${response.statusText}`.trim(), response.status, {}, [], '', wait)
}
