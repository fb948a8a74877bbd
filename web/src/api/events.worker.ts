/// <reference lib="webworker" />
// Runs as a SharedWorker: one connection for all tabs of the browser, since HTTP/1.1 gives six to an origin.
import { type Message, openStream } from './stream'

declare const self: SharedWorkerGlobalScope

const ports = new Set<MessagePort>()
let close: (() => void) | undefined
let last: Message = { kind: 'state', open: false }

function tell(m: Message): void {
  if (m.kind === 'state') last = m
  for (const p of ports) p.postMessage(m)
}

self.onconnect = (e) => {
  const port = e.ports[0] as MessagePort
  ports.add(port)
  port.onmessage = ({ data }: MessageEvent<'bye'>) => {
    if (data !== 'bye') return
    ports.delete(port)
    if (ports.size === 0) {
      close?.()
      close = undefined
      last = { kind: 'state', open: false }
    }
  }
  port.postMessage(last)
  close ??= openStream('/api/v1/events', tell)
}
