import { useQuery } from '@tanstack/react-query'
import { useEffect, useState } from 'react'
import { call } from './client'
import { keyOf } from './query'
import type { PublishNode, PublishStatus } from './schema'

/**
 * How far a revision is:
 * `reading` nothing is known yet; `failed` it cannot be read, see error; `unpublished` it is stored, but not in Redis;
 * `none` no gateway is connected; `waiting` gateways have not confirmed yet; `late` some have not for `patience`;
 * `rejected` at least one gateway could not take it; `live` every connected gateway runs it.
 */
export type PublishState = 'reading' | 'failed' | 'unpublished' | 'none' | 'waiting' | 'late' | 'rejected' | 'live'

/** What is known of a revision on its way to the gateways. */
export interface Publish {
  revision: number
  state: PublishState
  /** By name; also those that are offline. */
  nodes: PublishNode[]
  /** Connected gateways that run it. */
  applied: number
  /** Connected gateways. */
  connected: number
  /** Connected gateways that have not confirmed. */
  pending: PublishNode[]
  rejected: PublishNode[]
  /** Milliseconds until the last of those that told it had confirmed; 0 if none told. */
  ms: number
  /** Why it cannot be read; where something was read before, that is still shown. */
  error: unknown
  /** A question is under way. */
  looking: boolean
  /** Asks again, and waits as long as at first. */
  look: () => void
}

/** Milliseconds after which a gateway that has not confirmed is named. */
export const patience = 2_000

/** How often it is asked while something is open: events get lost, and a proxy may hold them back. */
const askEvery = 1_000

/** The same when all that are known run it: one may connect, or be heard of again, afterwards. */
const askSettled = 5_000

/** The same while one rejects it: what it could not read it reads again by itself, and says so once. */
const askRejecting = 2_000

type Judged = Omit<Publish, 'error' | 'looking' | 'look'>

/** Judges a status as it was read; `late` says that the patience is over. */
export function judge(s: PublishStatus, late: boolean): Judged {
  const nodes = s.nodes
  const pending = nodes.filter((n) => n.state === 'pending')
  const rejected = nodes.filter((n) => n.state === 'rejected')
  const applied = nodes.filter((n) => n.state === 'applied')
  const connected = nodes.length - nodes.filter((n) => n.state === 'offline').length
  const state: PublishState = rejected.length
    ? 'rejected'
    : !s.published && applied.length === 0
      ? late
        ? 'unpublished'
        : 'waiting'
      : connected === 0
        ? 'none'
        : pending.length === 0
          ? 'live'
          : late
            ? 'late'
            : 'waiting'
  return {
    revision: s.revision,
    state,
    nodes,
    applied: applied.length,
    connected,
    pending,
    rejected,
    ms: Math.max(0, ...applied.map((n) => n.ms ?? 0)),
  }
}

/** After how many milliseconds to ask again: soon where more is to be expected. */
export function askAgain(s: PublishStatus | undefined): number {
  if (!s?.published || s.nodes.some((n) => n.state === 'pending') || s.nodes.every((n) => n.state === 'offline')) return askEvery
  return s.nodes.some((n) => n.state === 'rejected') ? askRejecting : askSettled
}

/** Follows a revision to the gateways, by events and by asking while it is open. 0 is none: nothing is asked. */
export function usePublish(revision: number): Publish {
  const [since, setSince] = useState({ revision, at: Date.now() })
  const [late, setLate] = useState(false)
  const q = useQuery({
    queryKey: keyOf('GET /publishes/{revision}', { path: { revision } }),
    queryFn: ({ signal }) => call('GET /publishes/{revision}', { path: { revision }, signal, timeout: 5_000 }),
    enabled: revision > 0,
    staleTime: 0,
    // It is asked again anyway; to wait for further attempts would hide that it cannot be read.
    retry: false,
    refetchInterval: ({ state }) => askAgain(state.data),
  })
  if (since.revision !== revision) {
    setSince({ revision, at: Date.now() })
    setLate(false)
  }
  useEffect(() => {
    const timer = setTimeout(() => setLate(true), Math.max(0, since.at + patience - Date.now()))
    return () => clearTimeout(timer)
  }, [since])
  const judged: Judged = q.data
    ? judge(q.data, late)
    : { revision, state: q.error ? 'failed' : 'reading', nodes: [], applied: 0, connected: 0, pending: [], rejected: [], ms: 0 }
  return {
    ...judged,
    error: q.error,
    looking: q.isFetching,
    look: () => {
      setLate(false)
      setSince({ revision, at: Date.now() })
      void q.refetch()
    },
  }
}
