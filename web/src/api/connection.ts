import { useSyncExternalStore } from 'react'

/** What the console knows of its server. */
export interface Connection {
  online: boolean
  /** Since when the server does not answer; 0 while it does. */
  since: number
  /** The newest revision that was seen; 0 if none was. */
  revision: number
}

const probeEvery = 3_000

let state: Connection = { online: true, since: 0, revision: 0 }
const listeners = new Set<() => void>()
let timer: ReturnType<typeof setTimeout> | undefined
let returned: () => void = () => undefined

function set(change: Partial<Connection>): void {
  state = { ...state, ...change }
  for (const tell of listeners) tell()
}

/** Says what to do when the server answers again. */
export function onReturn(handler: () => void): void {
  returned = handler
}

/** Takes note of a revision, for the banner. */
export function sawRevision(revision: number): void {
  if (revision > state.revision) set({ revision })
}

/** Takes note of whether the server answered. While it does not, it is asked again and again. */
export function heard(answered: boolean): void {
  if (answered === state.online) return
  set(answered ? { online: true, since: 0 } : { online: false, since: Date.now() })
  clearTimeout(timer)
  if (answered) returned()
  else timer = setTimeout(probe, probeEvery)
}

async function probe(): Promise<void> {
  try {
    const r = await fetch('/api/v1/session', { method: 'HEAD', cache: 'no-store', signal: AbortSignal.timeout(probeEvery) })
    if (r.status < 502) return heard(true)
  } catch {
    // Still away.
  }
  timer = setTimeout(probe, probeEvery)
}

export function useConnection(): Connection {
  return useSyncExternalStore(
    (tell) => {
      listeners.add(tell)
      return () => listeners.delete(tell)
    },
    () => state,
  )
}
