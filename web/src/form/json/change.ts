import { isObject, same } from './text'

/** The way to a value: names of members and indexes of items. */
export type Path = readonly string[]

/** One difference between two documents. Absent is undefined. */
export interface Change {
  path: Path
  before: unknown
  after: unknown
}

/** A path as a JSON pointer (RFC 6901). */
export function pointer(path: Path): string {
  return path.map((s) => `/${s.replaceAll('~', '~0').replaceAll('/', '~1')}`).join('')
}

/** The value at a path; undefined if there is none. */
export function valueAt(document: unknown, path: Path): unknown {
  let at = document
  for (const name of path) {
    if (Array.isArray(at)) at = at[Number(name)]
    else if (isObject(at) && Object.hasOwn(at, name)) at = at[name]
    else return undefined
  }
  return at
}

/**
 * A copy of a document with another value at a path. Undefined takes the member away, and with it the objects around it
 * that are empty then and that `base` does not have either, so that going back leaves nothing behind.
 */
export function withValue(document: unknown, path: Path, value: unknown, base?: unknown): unknown {
  const [name, ...rest] = path
  if (name === undefined) return value
  if (Array.isArray(document)) {
    const i = Number(name)
    if (rest.length === 0 && value === undefined) return document.filter((_, k) => k !== i)
    const copy = [...document]
    copy[i] = withValue(document[i], rest, value, Array.isArray(base) ? base[i] : undefined)
    return copy
  }
  const old = isObject(document) ? document : {}
  const inBase = isObject(base) && Object.hasOwn(base, name) ? base[name] : undefined
  const next = withValue(old[name], rest, value, inBase)
  const gone = next === undefined || (rest.length > 0 && value === undefined && inBase === undefined && isEmpty(next))
  if (!gone) return { ...old, [name]: next }
  const { [name]: _, ...others } = old
  return others
}

function isEmpty(v: unknown): boolean {
  return isObject(v) && Object.keys(v).length === 0
}

/** What differs. Lists of the same length are compared item by item, other lists as a whole. */
export function changes(before: unknown, after: unknown, path: Path = []): Change[] {
  if (same(before, after)) return []
  if (isObject(before) && isObject(after)) {
    const names = [...Object.keys(before), ...Object.keys(after).filter((n) => !Object.hasOwn(before, n))]
    return names.flatMap((n) => changes(own(before, n), own(after, n), [...path, n]))
  }
  if (Array.isArray(before) && Array.isArray(after) && before.length === after.length && before.some(isObject)) {
    return before.flatMap((b, i) => changes(b, after[i], [...path, String(i)]))
  }
  return [{ path, before, after }]
}

function own(o: Record<string, unknown>, name: string): unknown {
  return Object.hasOwn(o, name) ? o[name] : undefined
}

/** A value that two people changed in two ways. */
export interface Conflict {
  path: Path
  base: unknown
  mine: unknown
  theirs: unknown
}

/** What came of bringing two people's changes together. */
export interface Merge {
  /** Theirs with mine on top, where both fit; at conflicts theirs. */
  value: unknown
  /** Theirs that mine does not touch. */
  brought: Change[]
  conflicts: Conflict[]
}

function covers(a: Path, b: Path): boolean {
  return a.length <= b.length && a.every((s, i) => s === b[i])
}

/** Brings together what two people made of the same document. Changes of different places fit. */
export function threeWay(base: unknown, mine: unknown, theirs: unknown): Merge {
  const my = changes(base, mine)
  const their = changes(base, theirs)
  const conflicts = new Map<string, Conflict>()
  const free: Change[] = []
  const hit = new Set<Change>()
  for (const m of my) {
    const other = their.filter((t) => covers(t.path, m.path) || covers(m.path, t.path))
    const settled = other.length > 0 && same(valueAt(mine, m.path), valueAt(theirs, m.path))
    if (other.length === 0) free.push(m)
    if (other.length === 0 || settled) continue
    for (const t of other) hit.add(t)
    // The wider of the two places is what has to be decided.
    const path = other.reduce<Path>((w, t) => (t.path.length < w.length ? t.path : w), m.path)
    conflicts.set(pointer(path), {
      path,
      base: valueAt(base, path),
      mine: valueAt(mine, path),
      theirs: valueAt(theirs, path),
    })
  }
  const value = free.reduce<unknown>((v, c) => withValue(v, c.path, c.after, theirs), theirs)
  return { value, brought: their.filter((t) => !hit.has(t)), conflicts: [...conflicts.values()] }
}

/** Puts the decision about conflicts into a merged document. */
export function resolve(merge: Merge, mine: ReadonlySet<string>): unknown {
  return merge.conflicts
    .filter((c) => mine.has(pointer(c.path)))
    .reduce<unknown>((v, c) => withValue(v, c.path, c.mine, v), merge.value)
}
