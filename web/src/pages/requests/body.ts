import type { RequestCapture } from '../../api/schema'

/** A recorded body as a person reads it. */
export type Shown = { kind: 'none' } | { kind: 'text' | 'json' | 'hex'; text: string }

/** JSON indented, text as it is, bytes as hex. A part of a JSON text stays as it is: it is none. */
export function showBody(c: RequestCapture): Shown {
  if (c.body === '') return { kind: 'none' }
  if (c.bodyEncoding === 'base64') return { kind: 'hex', text: hexDump(Uint8Array.from(atob(c.body), (x) => x.charCodeAt(0))) }
  const begin = c.body.trimStart()[0]
  if (begin === '{' || begin === '[') {
    try {
      return { kind: 'json', text: indent(c.body) }
    } catch {
      // Cut off, or only looks like it.
    }
  }
  return { kind: 'text', text: c.body }
}

/** Indents a JSON text without touching its values: numbers of any size and members that stand twice stay. */
export function indent(text: string): string {
  JSON.parse(text)
  let out = ''
  let depth = 0
  const line = () => `\n${'  '.repeat(depth)}`
  for (const [token] of text.matchAll(/"(?:[^"\\]|\\.)*"|[{}[\],:]|[^\s{}[\],:"]+/g)) {
    if (token === '{' || token === '[') {
      depth++
      out += token + line()
    } else if (token === '}' || token === ']') {
      depth--
      out = /[[{]\s*$/.test(out) ? out.trimEnd() + token : out + line() + token
    } else if (token === ',') out += token + line()
    else out += token === ':' ? ': ' : token
  }
  return out
}

/** Sixteen bytes a line: where they are, what they are, what they would be as ASCII. */
export function hexDump(bytes: Uint8Array): string {
  const lines: string[] = []
  for (let at = 0; at < bytes.length; at += 16) {
    const part = [...bytes.slice(at, at + 16)]
    const hex = part.map((b, i) => b.toString(16).padStart(2, '0') + (i === 7 ? ' ' : '')).join(' ')
    const text = part.map((b) => (b >= 0x20 && b < 0x7f ? String.fromCharCode(b) : '.')).join('')
    lines.push(`${at.toString(16).padStart(8, '0')}  ${hex.padEnd(48)}  ${text}`)
  }
  return lines.join('\n')
}
