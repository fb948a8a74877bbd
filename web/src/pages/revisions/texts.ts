import { useQuery } from '@tanstack/react-query'
import { call } from '../../api/client'
import type { ChangedTexts, Kind } from '../../api/schema'

/** Revisions that are looked through at once. */
const page = 200

/** The document of an object after a revision: what the last change until then made of it; null is none. */
async function textAt(n: number, kind: Kind, id: string, signal: AbortSignal): Promise<ChangedTexts['after']> {
  for (let cursor = ''; ; ) {
    const found = await call('GET /revisions', { query: { kind, id, limit: page, ...(cursor && { cursor }) }, signal })
    const last = found.items.find((r) => r.revision <= n)
    if (last)
      return (await call('GET /revisions/{n}/changes/{kind}/{id}', { path: { n: last.revision, kind, id }, signal })).after
    if (!found.next) return null
    cursor = found.next
  }
}

/** Reads the documents of one object after each of two revisions. */
export function useTextsBetween(from: number, to: number, { kind, id }: { kind: Kind; id: string }, enabled: boolean) {
  return useQuery({
    queryKey: ['texts between', from, to, kind, id],
    queryFn: async ({ signal }): Promise<ChangedTexts> => {
      const [before, after] = await Promise.all([textAt(from, kind, id, signal), textAt(to, kind, id, signal)])
      return { before, after }
    },
    enabled,
    staleTime: Number.POSITIVE_INFINITY,
  })
}
