import { ApiError, call } from '../../../api/client'
import { invalidate } from '../../../api/query'
import type { Definition, Problem } from '../../../api/schema'
import { listenOf } from '../../../definition/read'
import { same } from './draft'

/** How a creation ended. */
export type Outcome =
  | { kind: 'created'; id: string; revision: number; problems: Problem[] }
  | { kind: 'refused'; error: unknown }
  /** It may or may not have been made. */
  | { kind: 'unknown'; error: unknown }

/** Whether the server may have acted though it did not say so. */
export function unsure(error: unknown): boolean {
  if (!(error instanceof ApiError)) return false
  if (error.code === 'unreadable') return error.status < 400 || error.status >= 500
  return error.status === 0 || error.code === 'publish.outcome_unknown' || error.code === 'internal'
}

/** Creates an API, once. */
export async function create(definition: Definition): Promise<Outcome> {
  try {
    const made = await call('POST /apis', { body: definition })
    void invalidate('/apis', '/revisions')
    return {
      kind: 'created',
      id: made.meta?.id ?? '',
      revision: made.revision ?? made.meta?.revision ?? 0,
      problems: made.problems,
    }
  } catch (error) {
    return { kind: unsure(error) ? 'unknown' : 'refused', error }
  }
}

/** What has become of a creation that was not answered. */
export type Found =
  | { kind: 'saved'; id: string; revision: number }
  | { kind: 'absent' }
  /** Another API has the path, so this one cannot have been made. */
  | { kind: 'other'; id: string; name: string }

/** Looks for what was sent by its listen path, which one API at most can have. */
export async function lookFor(sent: Definition): Promise<Found> {
  const { path, domains } = listenOf(sent)
  const [domain] = domains
  const a = await call('GET /apis/availability', { query: { path, ...(domain && { domain }) } })
  const taken = a.problems.find((p) => p.code === 'api.path_taken')
  const id = String(taken?.params?.id ?? '')
  if (!id) return { kind: 'absent' }
  const found = await call('GET /apis/{id}', { path: { id } })
  void invalidate('/apis', '/revisions')
  return same(sent, found.object)
    ? { kind: 'saved', id, revision: found.meta.revision }
    : { kind: 'other', id, name: found.object.name }
}
