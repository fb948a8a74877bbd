import type { Operations } from '../../api/schema'

/** What GET /requests can be asked for. */
export type Question = Omit<Operations['GET /requests']['query'], 'cursor' | 'limit' | 'from' | 'to'>

/** One condition of the search: `status:5xx`, or a plain text, which has no name. */
export interface Token {
  name: TokenName | ''
  value: string
}

/** The names of conditions, in the order in which they are offered. */
export const tokenNames = [
  'status',
  'api',
  'key',
  'method',
  'path',
  'latency',
  'client',
  'node',
  'id',
  'host',
  'target',
  'refusal',
] as const
export type TokenName = (typeof tokenNames)[number]

/** The API parameter of each. */
const params: Record<TokenName, keyof Question> = {
  status: 'status',
  api: 'api',
  key: 'key',
  method: 'method',
  path: 'path',
  latency: 'minLatency',
  client: 'client',
  node: 'node',
  id: 'requestId',
  host: 'host',
  target: 'target',
  refusal: 'refusal',
}

/** The value of api: that means requests that matched none. */
export const noApi = 'none'

function named(text: string): text is TokenName {
  return (tokenNames as readonly string[]).includes(text)
}

/** Reads a search: conditions with spaces between, values with spaces in double quotes; the rest is plain text. */
export function parseTokens(text: string): Token[] {
  const found: Token[] = []
  const plain: string[] = []
  for (const [word] of text.matchAll(/(?:[^\s"]|"[^"]*"?)+/g)) {
    const colon = word.indexOf(':')
    const name = word.slice(0, colon).toLowerCase()
    const value = word.slice(colon + 1).replaceAll('"', '')
    if (colon > 0 && named(name)) {
      if (value) put(found, { name, value })
    } else plain.push(word.replaceAll('"', ''))
  }
  const rest = plain.filter(Boolean).join(' ')
  return rest ? [...found, { name: '', value: rest }] : found
}

/** Adds a condition in the place of one with its name: the server takes each once. */
export function put(tokens: Token[], token: Token): Token[] {
  const at = tokens.findIndex((t) => t.name === token.name)
  if (at < 0) tokens.push(token)
  else tokens[at] = token
  return tokens
}

/** Writes a search so that parseTokens reads it back. */
export function writeTokens(tokens: Token[]): string {
  return tokens.map(writeToken).join(' ')
}

/** Writes one condition. */
export function writeToken({ name, value }: Token): string {
  const plain = value.replaceAll('"', '')
  if (!name) {
    // A plain text that looks like a condition is quoted, or it would become one.
    return plain
      .split(/\s+/)
      .map((w) => (named(w.slice(0, Math.max(0, w.indexOf(':'))).toLowerCase()) ? `"${w}"` : w))
      .join(' ')
  }
  return `${name}:${/\s/.test(plain) ? `"${plain}"` : plain}`
}

/** The latency that people write, as the API has it: `>500` is 500ms. */
export function latency(value: string): string {
  const plain = value.replace(/^>=?/, '').trim()
  return /^\d+(\.\d+)?$/.test(plain) ? `${plain}ms` : plain
}

/** The question that conditions ask. */
export function question(tokens: Token[]): Question {
  const q: Record<string, string> = {}
  for (const { name, value } of tokens) {
    if (name === '') q.q = value
    else if (name === 'api' && value === noApi) q.noApi = '1'
    else if (name === 'latency') q.minLatency = latency(value)
    else if (name === 'method') q.method = value.toUpperCase()
    else q[params[name]] = value
  }
  return q as Question
}
