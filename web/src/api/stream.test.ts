import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { type Message, openStream } from './stream'

class Source {
  static all: Source[] = []
  static readonly CONNECTING = 0
  static readonly OPEN = 1
  static readonly CLOSED = 2
  readyState = 0
  onopen: (() => void) | null = null
  onerror: (() => void) | null = null
  readonly listeners = new Map<string, (e: { data: string }) => void>()
  constructor(readonly url: string) {
    Source.all.push(this)
  }
  addEventListener(name: string, act: (e: { data: string }) => void) {
    this.listeners.set(name, act)
  }
  opened() {
    this.readyState = 1
    this.onopen?.()
  }
  failed(readyState: number) {
    this.readyState = readyState
    this.onerror?.()
  }
  close() {
    this.readyState = 2
  }
}

let told: Message[] = []

beforeEach(() => {
  told = []
  Source.all = []
  vi.useFakeTimers()
  vi.stubGlobal('EventSource', Source)
})
afterEach(() => {
  vi.useRealTimers()
  vi.unstubAllGlobals()
})

const begin = () => {
  const close = openStream('/events', (m) => told.push(m))
  return { close, source: () => Source.all.at(-1) as Source }
}

test('events are told with their data; what cannot be read asks for everything', () => {
  const { source } = begin()
  source().opened()
  source().listeners.get('publish')?.({ data: '{"revision":7}' })
  source().listeners.get('fleet')?.({ data: '{' })
  source().listeners.get('reset')?.({ data: '' })
  expect(told).toEqual([
    { kind: 'state', open: true },
    { kind: 'event', topic: 'publish', data: { revision: 7 } },
    { kind: 'reset' },
    { kind: 'reset' },
  ])
})

test('a stream that ends as planned and comes back is not told as down', () => {
  const { source } = begin()
  source().opened()
  source().failed(Source.CONNECTING)
  vi.advanceTimersByTime(1_000)
  source().opened()
  vi.advanceTimersByTime(10_000)
  expect(told.filter((m) => m.kind === 'state' && !m.open)).toEqual([])
})

test('a refused stream is down, is opened again, and asks for everything then', () => {
  const { source } = begin()
  source().opened()
  source().failed(Source.CLOSED)
  expect(told.at(-1)).toEqual({ kind: 'state', open: false })
  vi.advanceTimersByTime(3_000)
  expect(Source.all.length).toBe(2)
  source().opened()
  expect(told.slice(-2)).toEqual([{ kind: 'state', open: true }, { kind: 'reset' }])
})

test('a stream that was closed stays closed', () => {
  const { source, close } = begin()
  source().failed(Source.CLOSED)
  close()
  vi.advanceTimersByTime(60_000)
  expect(Source.all.length).toBe(1)
})
