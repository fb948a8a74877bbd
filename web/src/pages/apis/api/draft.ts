import { useQuery } from '@tanstack/react-query'
import { useCallback, useEffect, useMemo, useRef, useState } from 'react'
import { ApiError, exchange, JsonText } from '../../../api/client'
import { invalidate, keyOf, queryClient } from '../../../api/query'
import type { API, APIWritten, Definition, Problem } from '../../../api/schema'
import { type Change, changes, type Merge, type Path, pointer, resolve, threeWay, withValue } from '../../../form/json/change'
import { isObject, JsonFault, memberText, mergePatch, parse, pretty, readable, rewrite, same } from '../../../form/json/text'

/** A stored version of an API. */
export interface Version {
  /** As it is stored, byte for byte. */
  stored: string
  /** As people read it: with line breaks. */
  text: string
  value: Definition
  etag: string
  revision: number
  at: string
  by: string
}

function versionOf(body: string, data: API): Version {
  const stored = memberText(body, 'object') ?? JSON.stringify(data.object)
  return {
    stored,
    text: readable(stored),
    value: parse(stored) as Definition,
    etag: data.meta.etag,
    revision: data.meta.revision,
    at: data.meta.updatedAt,
    by: data.meta.updatedBy.name,
  }
}

const versionKey = (id: string) => [...keyOf('GET /apis/{id}', { path: { id } }), 'text']

/** Reads an API with the bytes of its definition. */
export function useVersion(id: string) {
  return useQuery({
    queryKey: versionKey(id),
    queryFn: async ({ signal }) => {
      const { text, data } = await exchange('GET /apis/{id}', { path: { id }, signal })
      return versionOf(text, data)
    },
  })
}

/** What came in from somebody else while one was writing. */
export interface Brought {
  revision: number
  by: string
  changes: Change[]
}

interface State {
  base: Version
  text: string
  /** Written in the JSON editor, where order and spelling are meant as well. */
  byHand: boolean
  brought?: Brought
}

export interface Draft {
  base: Version
  text: string
  /** The last valid meaning of the text. */
  value: unknown
  /** Why the text is not JSON now. */
  fault?: JsonFault
  dirty: boolean
  changes: Change[]
  /** Somebody published this meanwhile. */
  newer?: Version
  brought?: Brought
  problems: Problem[]
  setProblems: (problems: Problem[]) => void
  set: (path: Path, value: unknown) => void
  write: (text: string) => void
  discard: () => void
  /** What differs between three versions, once there is a newer one. */
  merge: (newer: Version) => Merge
  /** Takes the newer version as the base, with one's own changes on top; `mine` are pointers of conflicts. */
  adopt: (newer: Version, merge: Merge, mine: ReadonlySet<string>) => void
  request: () => Save
  /** Asks what publishing would change, without doing it. */
  trial: (signal: AbortSignal) => Promise<APIWritten>
  /** Publishes; what the server answers with becomes the base. */
  publish: (note: string) => Promise<APIWritten>
}

/** How a draft is sent. */
export type Save = { method: 'PATCH' | 'PUT'; body: string }

/** The least that says what changed: a merge patch of the touched places, or the whole text where its spelling counts. */
export function saveOf(base: Version, text: string, value: unknown, byHand: boolean): Save {
  const written = rewrite(base.stored, value)
  const expected = base.stored === base.text ? written : pretty(written)
  const spelling = byHand && expected !== (base.stored === base.text ? text : pretty(text))
  const patch = spelling ? undefined : mergePatch(base.value, written)
  return patch === undefined ? { method: 'PUT', body: text } : { method: 'PATCH', body: patch }
}

const storageKey = (id: string) => `sluice.draft.${id}`

function recall(id: string): State | undefined {
  try {
    const found = JSON.parse(sessionStorage.getItem(storageKey(id)) ?? 'null') as State | null
    return found ?? undefined
  } catch {
    return undefined
  }
}

function keep(id: string, state: State | undefined): void {
  try {
    if (state) sessionStorage.setItem(storageKey(id), JSON.stringify(state))
    else sessionStorage.removeItem(storageKey(id))
  } catch {
    // The browser keeps nothing for this page; a reload then asks before it loses the draft.
  }
}

function read(text: string): { value?: unknown; fault?: JsonFault } {
  try {
    const value = parse(text)
    return isObject(value) ? { value } : { fault: new JsonFault('{ … }', 1) }
  } catch (fault) {
    return { fault: fault as JsonFault }
  }
}

/** What a person makes of an API before it is published. It outlives a reload of the page, not leaving it. */
export function useDraft(id: string, stored: Version): Draft {
  const [state, setState] = useState<State>(() => recall(id) ?? { base: stored, text: stored.text, byHand: false })
  const [problems, setProblems] = useState<Problem[]>([])
  const { base, text, byHand, brought } = state
  const dirty = text !== base.text
  const now = useMemo(() => read(text), [text])
  const last = useRef<unknown>(base.value)
  if (now.value !== undefined) last.current = now.value
  const value = now.value ?? last.current
  const all = useMemo(() => changes(base.value, value), [base, value])

  // Somebody else's version is taken over while nothing is being written here.
  if (!dirty && stored.etag !== base.etag && stored.revision > base.revision) {
    setState({ base: stored, text: stored.text, byHand: false })
  }
  useEffect(() => keep(id, dirty ? state : undefined), [id, dirty, state])
  useEffect(() => () => keep(id, undefined), [id])

  const set = useCallback((path: Path, v: unknown) => {
    setState((s) => {
      const old = read(s.text).value
      if (old === undefined) return s // the JSON is being written; the form shows nothing to edit then
      const next = withValue(old, path, v, s.base.value)
      const text = !s.byHand && same(next, s.base.value) ? s.base.text : rewrite(s.text, next)
      return { ...s, text }
    })
    const at = pointer(path)
    setProblems((p) => p.filter((x) => x.path !== at && !x.path.startsWith(`${at}/`)))
  }, [])
  const write = useCallback((text: string) => setState((s) => ({ ...s, text, byHand: text !== s.base.text })), [])

  return {
    base,
    text,
    value,
    fault: now.fault,
    dirty,
    changes: all,
    newer: dirty && stored.revision > base.revision ? stored : undefined,
    brought,
    problems,
    setProblems,
    set,
    write,
    discard: () => {
      setState({ base: stored, text: stored.text, byHand: false })
      setProblems([])
    },
    merge: (newer) => threeWay(base.value, value, newer.value),
    adopt: (newer, merge, mine) => {
      const next = resolve(merge, mine)
      const text = same(next, newer.value) ? newer.text : rewrite(newer.text, next)
      setState({ base: newer, text, byHand: false, brought: { revision: newer.revision, by: newer.by, changes: merge.brought } })
      setProblems([])
    },
    request: () => saveOf(base, text, value, byHand),
    trial: async (signal) => {
      const { method, body } = saveOf(base, text, value, byHand)
      const input = { path: { id }, query: { dry_run: '1' as const }, body: new JsonText(body), ifMatch: base.etag, signal }
      return (await exchange(`${method} /apis/{id}`, input)).data
    },
    publish: async (note) => {
      const { method, body } = saveOf(base, text, value, byHand)
      const answer = await exchange(`${method} /apis/{id}`, {
        path: { id },
        query: note ? { note } : {},
        body: new JsonText(body),
        ifMatch: base.etag,
      })
      const { object, meta } = answer.data
      if (object && meta) {
        const next = versionOf(answer.text, { object, meta })
        queryClient.setQueryData(versionKey(id), next)
        setState({ base: next, text: next.text, byHand: false })
        setProblems([])
        void invalidate('/apis', '/revisions')
      }
      return answer.data
    },
  }
}

/** Reads the newest version now. */
export async function newest(id: string): Promise<Version> {
  await queryClient.refetchQueries({ queryKey: versionKey(id) })
  const found = queryClient.getQueryData<Version>(versionKey(id))
  if (!found) throw new ApiError('network', 'The server did not answer.', 0)
  return found
}
