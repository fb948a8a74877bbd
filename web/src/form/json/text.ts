// JSON as text: what a person did not touch keeps every byte, its order and the spelling of its numbers.

/** A value in a JSON text and where it stands. */
export interface Node {
  from: number
  to: number
  /** Of an object, in their order; a name that stands twice is there twice. */
  members?: Member[]
  /** Of an array. */
  items?: Node[]
}

export interface Member {
  name: string
  /** Where the name begins, with its quote, and where it ends. */
  from: number
  end: number
  node: Node
}

/** Where a text stops being JSON. */
export class JsonFault extends Error {
  override name = 'JsonFault'
  constructor(
    message: string,
    readonly line: number,
  ) {
    super(message)
  }
}

/** The value of a text; a JsonFault if it is not JSON. */
export function parse(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch (cause) {
    const message = cause instanceof Error ? cause.message : String(cause)
    const at = /position (\d+)/.exec(message)?.[1]
    const line = text.slice(0, at === undefined ? text.length : Number(at)).split('\n').length
    throw new JsonFault(message.replace(/ in JSON at position.*$/, '').replace(/, "[\s\S]*$/, ''), line)
  }
}

/** Where everything stands in a text that parse has accepted. */
export function locate(text: string): Node {
  let at = 0
  const blank = () => {
    while (/\s/.test(text[at] ?? '')) at++
  }
  const string = () => {
    at++
    while (text[at] !== '"') at += text[at] === '\\' ? 2 : 1
    at++
  }
  const value = (): Node => {
    blank()
    const from = at
    if (text[at] === '{') {
      const members: Member[] = []
      at++
      for (blank(); text[at] !== '}'; blank()) {
        if (text[at] === ',') {
          at++
          blank()
        }
        const start = at
        string()
        const end = at
        blank()
        at++ // the colon
        members.push({ name: JSON.parse(text.slice(start, end)) as string, from: start, end, node: value() })
      }
      return { from, to: ++at, members }
    }
    if (text[at] === '[') {
      const items: Node[] = []
      at++
      for (blank(); text[at] !== ']'; blank()) {
        if (text[at] === ',') at++
        items.push(value())
      }
      return { from, to: ++at, items }
    }
    if (text[at] === '"') string()
    else while (at < text.length && !/[\s,\]}]/.test(text[at] as string)) at++
    return { from, to: at }
  }
  return value()
}

/** The text of a member of the object that a text holds. */
export function memberText(text: string, name: string): string | undefined {
  const found = locate(text).members?.findLast((m) => m.name === name)
  return found && text.slice(found.node.from, found.node.to)
}

type Plain = Record<string, unknown>

/** Whether something is an object of JSON, no array. */
export function isObject(v: unknown): v is Plain {
  return typeof v === 'object' && v !== null && !Array.isArray(v)
}

/** Whether two values are the same; the order of an object's members does not count. */
export function same(a: unknown, b: unknown): boolean {
  if (a === b) return true
  if (Array.isArray(a) && Array.isArray(b)) return a.length === b.length && a.every((x, i) => same(x, b[i]))
  if (!isObject(a) || !isObject(b)) return false
  const names = Object.keys(a)
  return names.length === Object.keys(b).length && names.every((n) => Object.hasOwn(b, n) && same(a[n], b[n]))
}

/** Writes a text anew with line breaks, token by token: numbers, escapes and the order stay as they are. */
export function pretty(text: string, indent = '  '): string {
  const write = (n: Node, pad: string): string => {
    const inner = pad + indent
    if (n.members?.length) {
      const lines = n.members.map((m) => `${inner}${text.slice(m.from, m.end)}: ${write(m.node, inner)}`)
      return `{\n${lines.join(',\n')}\n${pad}}`
    }
    if (n.items?.length) {
      if (n.items.every((i) => !i.members && !i.items)) return `[${n.items.map((i) => text.slice(i.from, i.to)).join(', ')}]`
      return `[\n${n.items.map((i) => inner + write(i, inner)).join(',\n')}\n${pad}]`
    }
    return n.members ? '{}' : n.items ? '[]' : text.slice(n.from, n.to)
  }
  return write(locate(text), '')
}

/** The text as people read it: written anew only where it is one long line. */
export function readable(text: string): string {
  return text.includes('\n') || text.length < 80 ? text : pretty(text)
}

/** Changes a text so that it means `value`; what means the same already keeps every byte. */
export function rewrite(text: string, value: unknown): string {
  const root = locate(text)
  const lines = text.includes('\n')
  const fresh = (v: unknown, pad: string) => {
    const written = JSON.stringify(v)
    return lines && written.length > 60 ? pretty(written).replaceAll('\n', `\n${pad}`) : spaced(written)
  }
  const slice = (n: { from: number; to: number }) => text.slice(n.from, n.to)
  const padAt = (at: number) => /^[ \t]*/.exec(text.slice(text.lastIndexOf('\n', at - 1) + 1, at))?.[0] ?? ''

  /** Puts parts between the brackets of a node, with the white space that stands there. */
  const enclose = (n: Node, parts: string[], starts: number[]): string => {
    const open = text[n.from] as string
    const close = text[n.to - 1] as string
    if (parts.length === 0) return open + close
    const pad = padAt(n.from)
    const last = (n.members?.at(-1)?.node ?? n.items?.at(-1))?.to
    const lead = starts[0] === undefined ? (lines ? `\n${pad}  ` : '') : text.slice(n.from + 1, starts[0])
    const tail = last === undefined ? (lines ? `\n${pad}` : '') : text.slice(last, n.to - 1)
    const between =
      starts[1] === undefined ? (lead.includes('\n') ? lead : ' ') : (/,(\s*)$/.exec(text.slice(0, starts[1]))?.[1] ?? ' ')
    return `${open}${lead}${parts.join(`,${between}`)}${tail}${close}`
  }

  const go = (n: Node, old: unknown, now: unknown): string => {
    if (same(old, now)) return slice(n)
    if (n.members && isObject(old) && isObject(now)) {
      const kept = n.members.filter((m) => Object.hasOwn(now, m.name))
      const parts = kept.map((m) => text.slice(m.from, m.node.from) + go(m.node, old[m.name], now[m.name]))
      const pad = `${padAt(n.from)}  `
      for (const name of Object.keys(now)) {
        if (!Object.hasOwn(old, name)) parts.push(`${JSON.stringify(name)}: ${fresh(now[name], pad)}`)
      }
      return enclose(
        n,
        parts,
        n.members.map((m) => m.from),
      )
    }
    if (n.items && Array.isArray(old) && Array.isArray(now)) {
      const items = n.items
      const taken = new Set<number>()
      const find = (v: unknown, i: number) => {
        const at = same(old[i], v) && !taken.has(i) ? i : old.findIndex((o, k) => !taken.has(k) && same(o, v))
        if (at >= 0) taken.add(at)
        return at
      }
      const equal = now.map(find)
      const parts = now.map((v, i) => {
        const at = equal[i] as number
        if (at >= 0) return slice(items[at] as Node)
        // A changed item is the one that stood there, unless that one stands elsewhere now.
        if (i < items.length && !taken.has(i)) return go(items[i] as Node, old[i], v)
        return fresh(v, `${padAt(n.from)}  `)
      })
      return enclose(
        n,
        parts,
        items.map((i) => i.from),
      )
    }
    return fresh(now, padAt(n.from))
  }
  return text.slice(0, root.from) + go(root, parse(text), value) + text.slice(root.to)
}

/** Compact JSON with a space behind each comma and colon, as people write it on one line. */
function spaced(compact: string): string {
  const write = (n: Node): string => {
    if (n.members) return `{${n.members.map((m) => `${compact.slice(m.from, m.end)}: ${write(m.node)}`).join(', ')}}`
    if (n.items) return `[${n.items.map(write).join(', ')}]`
    return compact.slice(n.from, n.to)
  }
  return write(locate(compact))
}

/**
 * The merge patch (RFC 7396) that turns `base` into what `text` means. Values stand in it byte for byte as in `text`, so
 * that members which nobody reads stay what they were. Undefined where no patch can say it: a member that becomes null.
 */
export function mergePatch(base: unknown, text: string): string | undefined {
  let possible = true
  const walk = (n: Node, old: Plain, now: Plain): string => {
    const parts: string[] = []
    for (const name of Object.keys(old)) {
      if (!Object.hasOwn(now, name)) parts.push(`${JSON.stringify(name)}:null`)
    }
    for (const m of n.members ?? []) {
      const was = old[m.name]
      const is = now[m.name]
      if (Object.hasOwn(old, m.name) && same(was, is)) continue
      if (isObject(was) && isObject(is)) parts.push(`${text.slice(m.from, m.end)}:${walk(m.node, was, is)}`)
      else {
        if (is === null || (isObject(is) && /:\s*null\b/.test(text.slice(m.node.from, m.node.to)))) possible = false
        parts.push(`${text.slice(m.from, m.end)}:${text.slice(m.node.from, m.node.to)}`)
      }
    }
    return `{${parts.join(',')}}`
  }
  const now = parse(text)
  if (!isObject(base) || !isObject(now)) return undefined
  const patch = walk(locate(text), base, now)
  return possible ? patch : undefined
}
