import { useSyncExternalStore } from 'react'
import { type Message, openStream } from './stream'

export type { Message } from './stream'

let open = false
const watchers = new Set<() => void>()
const readers = new Set<(m: Message) => void>()

function deliver(m: Message): void {
  if (m.kind === 'state') {
    if (m.open === open) return
    open = m.open
    for (const tell of watchers) tell()
    return
  }
  for (const read of readers) read(m)
}

/** Hears every event of the platform; returns what stops it. */
export function onEvent(read: (m: Message) => void): () => void {
  readers.add(read)
  return () => readers.delete(read)
}

/** Whether events arrive. Where they do not, ask every 5 s instead; query.ts does. */
export function useStreamOpen(): boolean {
  return useSyncExternalStore(
    (tell) => {
      watchers.add(tell)
      return () => watchers.delete(tell)
    },
    () => open,
  )
}

/** Begins to hear events, by one connection for all tabs; returns what ends it. */
export function startEvents(): () => void {
  if (typeof SharedWorker !== 'undefined') return byWorker()
  if (typeof BroadcastChannel !== 'undefined' && navigator.locks) return byLock()
  if (typeof EventSource !== 'undefined') return openStream('/api/v1/events', deliver)
  return () => undefined
}

function byWorker(): () => void {
  const worker = new SharedWorker(new URL('./events.worker.ts', import.meta.url), { type: 'module', name: 'sluice-events' })
  worker.port.onmessage = (e: MessageEvent<Message>) => deliver(e.data)
  const bye = () => worker.port.postMessage('bye')
  window.addEventListener('pagehide', bye)
  return () => {
    window.removeEventListener('pagehide', bye)
    bye()
    worker.port.close()
    deliver({ kind: 'state', open: false })
  }
}

/** The tab that holds the lock has the stream and tells the others; when it closes, another tab gets the lock. */
function byLock(): () => void {
  const channel = new BroadcastChannel('sluice-events')
  const over = new AbortController()
  channel.onmessage = (e: MessageEvent<Message>) => deliver(e.data)
  navigator.locks
    .request('sluice-events', { signal: over.signal }, () => {
      const close = openStream('/api/v1/events', (m) => {
        deliver(m)
        channel.postMessage(m)
      })
      return new Promise<void>((done) => {
        over.signal.addEventListener('abort', () => {
          close()
          done()
        })
      })
    })
    .catch(() => undefined) // given up while waiting for the lock
  return () => {
    over.abort()
    channel.close()
    deliver({ kind: 'state', open: false })
  }
}
