/** One place of a document that differs. */
export interface FieldChange {
  /** Such as `upstream.targets[0].url`. */
  path: string
  kind: 'added' | 'removed' | 'changed'
  before?: unknown
  after?: unknown
}

type Json = Record<string, unknown>

const isObject = (v: unknown): v is Json => typeof v === 'object' && v !== null && !Array.isArray(v)

/** Joins a path as one would write it in a program. */
function below(path: string, key: string): string {
  const plain = /^[\p{L}_$][\p{L}\p{N}_$-]*$/u.test(key)
  return plain ? (path ? `${path}.${key}` : key) : `${path}[${JSON.stringify(key)}]`
}

/** Whether two values of JSON are the same, whatever the order of their members. */
export function same(a: unknown, b: unknown): boolean {
  if (Object.is(a, b)) return true
  if (Array.isArray(a) && Array.isArray(b)) return a.length === b.length && a.every((v, i) => same(v, b[i]))
  if (!isObject(a) || !isObject(b)) return false
  const keys = Object.keys(a)
  return keys.length === Object.keys(b).length && keys.every((k) => Object.hasOwn(b, k) && same(a[k], b[k]))
}

/** By what entries of a list are known in both versions: an id or a name that no two of them share. */
function naming(a: unknown[], b: unknown[]): string | undefined {
  return ['id', 'name', 'path', 'url'].find((key) =>
    [a, b].every((list) => {
      const names = list.map((v) => (isObject(v) ? v[key] : undefined))
      return names.every((n) => typeof n === 'string') && new Set(names).size === names.length
    }),
  )
}

function lists(path: string, a: unknown[], b: unknown[], out: FieldChange[]): void {
  const key = a.length > 0 && b.length > 0 ? naming(a, b) : undefined
  if (key) {
    const name = (v: unknown) => (v as Json)[key] as string
    const was = new Map(a.map((v) => [name(v), v]))
    const is = new Map(b.map((v) => [name(v), v]))
    for (const n of new Set([...was.keys(), ...is.keys()])) walk(`${path}[${n}]`, was.get(n), is.get(n), out)
    return
  }
  if ([...a, ...b].every((v) => typeof v !== 'object' || v === null)) {
    out.push({ path, kind: 'changed', before: a, after: b })
    return
  }
  for (let i = 0; i < Math.max(a.length, b.length); i++) walk(`${path}[${i}]`, a[i], b[i], out)
}

function walk(path: string, a: unknown, b: unknown, out: FieldChange[]): void {
  if (same(a, b)) return
  if (a === undefined || b === undefined) {
    const value = a === undefined ? b : a
    if (isObject(value) && Object.keys(value).length > 0) {
      for (const [k, v] of Object.entries(value)) walk(below(path, k), a && v, b && v, out)
      return
    }
    out.push(a === undefined ? { path, kind: 'added', after: b } : { path, kind: 'removed', before: a })
  } else if (isObject(a) && isObject(b)) {
    for (const k of new Set([...Object.keys(a), ...Object.keys(b)])) walk(below(path, k), a[k], b[k], out)
  } else if (Array.isArray(a) && Array.isArray(b)) {
    lists(path, a, b, out)
  } else {
    out.push({ path, kind: 'changed', before: a, after: b })
  }
}

/** What differs between two documents, field by field, in the order of the text. Null is no document. */
export function compare(before: Json | null, after: Json | null): FieldChange[] {
  const out: FieldChange[] = []
  walk('', before ?? {}, after ?? {}, out)
  return out
}

/** A value in one line. */
export function brief(v: unknown): string {
  return typeof v === 'string' && v !== '' ? v : JSON.stringify(v)
}
