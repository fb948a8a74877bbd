import { keepPreviousData, QueryClient, useInfiniteQuery, useQuery } from '@tanstack/react-query'
import { useEffect } from 'react'
import { ApiError, call, type Input, onTransport, writeAs } from './client'
import { heard, onReturn, sawRevision } from './connection'
import { onEvent, startEvents, useStreamOpen } from './events'
import type { FleetEvent, Node, NodeList, NoticeEvent, Operations, PublishStatus, Session } from './schema'

type Reads = Extract<keyof Operations & string, `GET ${string}`>

export const queryClient = new QueryClient({
  defaultOptions: {
    queries: {
      staleTime: 10_000,
      refetchOnWindowFocus: true,
      // What the server decided stays decided; only silence is worth another try.
      retry: (failures, error) => failures < 2 && error instanceof ApiError && (error.status === 0 || error.status >= 502),
      retryDelay: (n) => 500 * 2 ** n,
    },
    mutations: { retry: false },
  },
})

/** The key under which an operation's answer is kept: `['GET /apis/{id}', {path}, {query}]`. */
export function keyOf<O extends Reads>(operation: O, input?: Omit<Input<O>, 'signal' | 'timeout'>): unknown[] {
  return input ? [operation, input] : [operation]
}

/** What a read needs beside its input. */
export interface ReadOptions {
  /** False: not now. */
  enabled?: boolean
  /** Keep the answer fresh while events do not arrive. */
  live?: boolean
  /** Milliseconds for which an answer is believed; default 10 000. */
  staleTime?: number
}

/** Reads one operation; the answer is cached, shared and kept visible while a newer one comes. */
export function useRead<O extends Reads>(operation: O, input?: Input<O>, options: ReadOptions = {}) {
  const open = useStreamOpen()
  return useQuery({
    queryKey: keyOf(operation, input),
    queryFn: ({ signal }) =>
      (call as (o: O, i: unknown) => Promise<Operations[O]['response']>)(operation, { ...(input as object), signal }),
    enabled: options.enabled ?? true,
    staleTime: options.staleTime,
    refetchInterval: options.live && !open ? 5_000 : false,
    placeholderData: keepPreviousData,
  })
}

/** Operations that answer with a page of a list. */
export type Lists = { [O in Reads]: Operations[O]['response'] extends { items: unknown[]; next: string } ? O : never }[Reads]
type Item<O extends Lists> = Operations[O]['response'] extends { items: (infer I)[] } ? I : never
type Query<O extends Lists> = Operations[O] extends { query: infer Q } ? Omit<Q, 'cursor' | 'limit'> : Record<string, never>

/** A list as the DataTable wants it. */
export interface List<T> {
  items: T[]
  total: number
  totalExact: boolean
  /** Nothing was read yet. */
  loading: boolean
  /** What is shown belongs to an older question. */
  stale: boolean
  more: boolean
  loadingMore: boolean
  error: unknown
  loadMore: () => void
  retry: () => void
}

type Page<O extends Lists> = Operations[O]['response'] & {
  items: Item<O>[]
  next: string
  total: number
  totalExact: boolean
}

/** There is nothing, and not for want of a better question: nothing to search or to filter either. */
export function nothingAtAll(list: List<unknown>, filtered: boolean): boolean {
  return !filtered && list.items.length === 0 && !list.loading && !list.stale && !list.error
}

/** Reads a list page by page, with the pages as they came; sorting and searching are the server's. */
export function useList<O extends Lists>(
  operation: O,
  query?: Query<O>,
  options: ReadOptions & { limit?: number } = {},
): List<Item<O>> & { pages: Page<O>[] } {
  const open = useStreamOpen()
  const q = useInfiniteQuery({
    queryKey: [operation, { query: query ?? {}, limit: options.limit }],
    queryFn: ({ signal, pageParam }) =>
      (call as (o: O, i: unknown) => Promise<Page<O>>)(operation, {
        query: { ...query, ...(pageParam && { cursor: pageParam }), ...(options.limit && { limit: options.limit }) },
        signal,
      }),
    initialPageParam: '',
    getNextPageParam: (last) => last.next || undefined,
    enabled: options.enabled ?? true,
    staleTime: options.staleTime,
    refetchInterval: options.live && !open ? 5_000 : false,
    placeholderData: keepPreviousData,
  })
  const pages = q.data?.pages ?? []
  const last = pages.at(-1)
  return {
    pages,
    items: pages.flatMap((p) => p.items),
    total: last?.total ?? 0,
    totalExact: last?.totalExact ?? true,
    loading: q.isPending,
    stale: q.isPlaceholderData,
    more: q.hasNextPage,
    loadingMore: q.isFetchingNextPage,
    error: q.error,
    loadMore: () => void q.fetchNextPage({ cancelRefetch: false }),
    retry: () => void q.refetch(),
  }
}

/** Forgets what was read by operations, all of them of a path such as `/apis`, so that it is read again where shown. */
export function invalidate(...paths: string[]): Promise<void> {
  return queryClient.invalidateQueries({
    predicate: (q) => {
      const path = String(q.queryKey[0]).split(' ')[1] ?? ''
      return paths.some((p) => path === p || path.startsWith(`${p}/`))
    },
  })
}

export const sessionKey = ['GET /session']

/** The caller; null when nobody is signed in. */
export async function readSession(): Promise<Session | null> {
  try {
    const session = await call('GET /session')
    writeAs(session)
    return session
  } catch (error) {
    if (error instanceof ApiError && error.status === 401) {
      writeAs(null)
      return null
    }
    throw error
  }
}

/** The last notice of what keeps publishing from working. */
export const noticeKey = ['notice']

function merge(old: NodeList | undefined, e: FleetEvent): NodeList | undefined {
  if (!old) return old
  const byId = new Map(old.items.filter((n) => !e.gone.includes(n.id)).map((n) => [n.id, n]))
  for (const n of e.nodes) byId.set(n.id, n)
  const items = [...byId.values()].sort((a, b) => (a.name < b.name ? -1 : a.name > b.name ? 1 : 0))
  return { ...old, items, total: items.length }
}

/** Puts an event into the cache, or says what to read again. */
function take(client: QueryClient, m: Parameters<Parameters<typeof onEvent>[0]>[0]): void {
  if (m.kind === 'reset') return void client.invalidateQueries()
  if (m.kind !== 'event') return
  switch (m.topic) {
    case 'fleet': {
      const e = m.data as FleetEvent
      for (const n of e.nodes) sawRevision(n.generation)
      client.setQueryData<NodeList>(['GET /gateways'], (old) => merge(old, e))
      // A list that could not be read has nothing to merge into; now it can.
      if (!client.getQueryData(['GET /gateways'])) void client.invalidateQueries({ queryKey: ['GET /gateways'] })
      client.setQueriesData<Node>({ queryKey: ['GET /gateways/{id}'] }, (old) => e.nodes.find((n) => n.id === old?.id) ?? old)
      break
    }
    case 'publish': {
      const s = m.data as PublishStatus
      sawRevision(s.revision)
      client.setQueryData(keyOf('GET /publishes/{revision}', { path: { revision: s.revision } }), s)
      void client.invalidateQueries({ queryKey: ['GET /revisions'] })
      void client.invalidateQueries({ queryKey: ['GET /publishing'] })
      void client.invalidateQueries({ queryKey: ['GET /apis/{id}/status'] })
      break
    }
    case 'notice': {
      const n = m.data as NoticeEvent
      client.setQueryData(noticeKey, n.error || n.storeBehind ? n : null)
      void client.invalidateQueries({ queryKey: ['GET /publishing'] })
      break
    }
  }
}

/** Ties client, cache and events together while somebody is signed in. */
export function useLiveCache(signedIn: boolean): void {
  useEffect(() => {
    onTransport({ sessionEnded: () => queryClient.setQueryData(sessionKey, null), heard })
    onReturn(() => void queryClient.invalidateQueries())
  }, [])
  useEffect(() => {
    if (!signedIn) return
    const stop = startEvents()
    const off = onEvent((m) => take(queryClient, m))
    return () => {
      off()
      stop()
    }
  }, [signedIn])
}
