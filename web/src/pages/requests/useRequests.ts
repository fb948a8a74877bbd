import { type InfiniteData, keepPreviousData, useInfiniteQuery } from '@tanstack/react-query'
import { useCallback, useEffect, useRef, useState } from 'react'
import { call } from '../../api/client'
import { type List, queryClient } from '../../api/query'
import type { Problem, RequestList, RequestSummary } from '../../api/schema'
import { ends, type Range } from './range'
import type { Question } from './tokens'

const limit = 100
/** So many rows fill a screen: up to there a search that ran out of time goes on by itself. */
const fill = 40
/** A call shall stand in the list within three seconds, of which gateway and pump take most of one. */
const every = 1_000

type Pages = InfiniteData<RequestList, string>

/** Puts the newest page before what was read. Where they do not meet, what was read is let go: there would be a hole. */
export function mergeHead(old: Pages, head: RequestList): Pages {
  const first = old.pages[0]
  const seen = new Set(old.pages.flatMap((p) => p.items).map((r) => r.id))
  const meets = head.next === '' || seen.size === 0 || head.items.some((r) => seen.has(r.id))
  if (!first || !meets) return { pages: [head], pageParams: [''] }
  const kept = new Map(first.items.map((r) => [r.id, r]))
  for (const r of head.items) if (!seen.has(r.id)) kept.set(r.id, r)
  const items = [...kept.values()].sort((a, b) => later(a, b))
  const told = { total: head.total, totalExact: head.totalExact, to: head.to }
  return { ...old, pages: [{ ...first, ...told, problems: head.problems, items }, ...old.pages.slice(1)] }
}

/** Newest first; the microseconds, that a Date lacks, decide too. */
function later(a: RequestSummary, b: RequestSummary): number {
  const by = Date.parse(b.at) - Date.parse(a.at)
  if (by !== 0) return by
  const fraction = (r: RequestSummary) => (/\.(\d+)/.exec(r.at)?.[1] ?? '').padEnd(9, '0')
  return fraction(b).localeCompare(fraction(a)) || (a.id < b.id ? 1 : -1)
}

/** How many of a page are not among what was read. */
export function freshIn(old: Pages | undefined, head: RequestList): number {
  const seen = new Set(old?.pages.flatMap((p) => p.items).map((r) => r.id))
  return head.items.filter((r) => !seen.has(r.id)).length
}

export interface Requests extends List<RequestSummary> {
  /** Why there is less than was asked for; each once. */
  problems: Problem[]
  /** The search ran out of time and goes on by itself. */
  following: boolean
  /** The search ran out of time and waits to be told to go on. */
  paused: boolean
  stop: () => void
  goOn: () => void
  /** Reads anew, up to now. */
  refresh: () => void
  /** Newer requests that are held back because the reader is further down. */
  held: number
  showHeld: () => void
  /** When the list was last read. */
  readAt: number
}

/** The requests of a question; `live` reads the newest every few seconds without moving what is in sight. */
export function useRequests(asked: Question, range: Range, live: boolean): Requests {
  const of = JSON.stringify([asked, range])
  const [now, setNow] = useState({ of, at: Date.now() })
  if (now.of !== of) setNow({ of, at: Date.now() })
  const query = { ...asked, ...ends(range, now.at) }
  const key = ['GET /requests', { query }]
  const q = useInfiniteQuery({
    queryKey: key,
    queryFn: ({ signal, pageParam }) =>
      call('GET /requests', { query: { ...query, ...(pageParam && { cursor: pageParam }), limit }, signal }),
    initialPageParam: '',
    getNextPageParam: (last) => last.next || undefined,
    staleTime: Number.POSITIVE_INFINITY,
    refetchOnWindowFocus: false,
    placeholderData: keepPreviousData,
  })
  const pages = q.data?.pages ?? []
  const items = pages.flatMap((p) => p.items)
  const last = pages.at(-1)

  const { hasNextPage, isFetching, fetchNextPage, isPlaceholderData } = q
  const more = hasNextPage && !isPlaceholderData
  const short = more && (last?.items.length ?? 0) < limit
  const [stopped, setStopped] = useState('')
  const wanting = short && items.length < fill
  const following = wanting && stopped !== of && !q.isFetchNextPageError
  useEffect(() => {
    if (following && !isFetching) void fetchNextPage({ cancelRefetch: false })
  }, [following, isFetching, fetchNextPage])

  const tail = useTail(key, query, live && 'last' in range && !q.isPending && !isPlaceholderData)
  const unique = new Map<string, Problem>()
  for (const p of pages.flatMap((page) => page.problems)) unique.set(p.code + JSON.stringify(p.params ?? {}), p)
  return {
    items,
    total: pages[0]?.total ?? 0,
    totalExact: pages[0]?.totalExact ?? true,
    loading: q.isPending || (items.length === 0 && following),
    stale: isPlaceholderData,
    more,
    loadingMore: q.isFetchingNextPage,
    error: q.error ?? tail.error,
    loadMore: useCallback(() => void fetchNextPage({ cancelRefetch: false }), [fetchNextPage]),
    retry: () => void q.refetch(),
    problems: [...unique.values()].filter((p) => p.code !== 'requests.go_on').concat(goingOn(last, more)),
    following,
    paused: wanting && !following,
    stop: () => setStopped(of),
    goOn: () => {
      setStopped('')
      void fetchNextPage({ cancelRefetch: false })
    },
    refresh: () => setNow({ of, at: Date.now() }),
    held: tail.held,
    showHeld: tail.show,
    readAt: Math.max(q.dataUpdatedAt, tail.at),
  }
}

/** The last page's own notice counts while there is more: an older one was followed already. */
function goingOn(last: RequestList | undefined, more: boolean): Problem[] {
  return more ? (last?.problems.filter((p) => p.code === 'requests.go_on') ?? []) : []
}

/** Asks for the newest page again and again. While the reader is further down it is kept until they come up. */
function useTail(key: unknown[], query: Record<string, unknown>, on: boolean) {
  const at = JSON.stringify(key)
  const ask = useRef({ key, query })
  ask.current = { key, query }
  const [state, setState] = useState<{ of: string; held: number; error: unknown; at: number }>({
    of: '',
    held: 0,
    error: null,
    at: 0,
  })
  const head = useRef<RequestList | null>(null)
  const show = useCallback(() => {
    const page = head.current
    head.current = null
    if (page) queryClient.setQueryData<Pages>(ask.current.key, (old) => old && mergeHead(old, page))
    setState((s) => ({ ...s, held: 0 }))
  }, [])
  useEffect(() => {
    if (!on) return
    const over = new AbortController()
    let timer: ReturnType<typeof setTimeout>
    const tick = async () => {
      try {
        if (document.visibilityState === 'visible') {
          const page = await call('GET /requests', { query: { ...ask.current.query, limit }, signal: over.signal })
          const held = freshIn(queryClient.getQueryData<Pages>(ask.current.key), page)
          head.current = page
          if (scrolledDown()) setState({ of: at, held, error: null, at: Date.now() })
          else {
            show()
            setState({ of: at, held: 0, error: null, at: Date.now() })
          }
        }
      } catch (error) {
        if (!over.signal.aborted) setState((s) => ({ ...s, of: at, error }))
      }
      if (!over.signal.aborted) timer = setTimeout(tick, every)
    }
    timer = setTimeout(tick, every)
    const up = () => {
      if (head.current && !scrolledDown()) show()
    }
    window.addEventListener('scroll', up, { passive: true })
    return () => {
      over.abort()
      clearTimeout(timer)
      window.removeEventListener('scroll', up)
      head.current = null
    }
  }, [on, at, show])
  const own = on && state.of === at
  return { held: own ? state.held : 0, error: own ? state.error : null, at: own ? state.at : 0, show }
}

function scrolledDown(): boolean {
  return window.scrollY > 120
}
