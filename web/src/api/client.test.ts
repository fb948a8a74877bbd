import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { flatten, i18n } from '../i18n'
import { en } from '../i18n/en'
import { answer } from '../testing/render'
import { ApiError, address, call, exchange, onTransport, writeAs } from './client'
import { explain, explainProblem, segments } from './errors'
import type { Session } from './schema'

const sessionEnded = vi.fn()
const heard = vi.fn()
const real = globalThis.fetch

beforeEach(() => {
  onTransport({ sessionEnded, heard })
  writeAs({ csrf: 'tok' } as Session)
})
afterEach(() => {
  vi.clearAllMocks()
  globalThis.fetch = real
})

function problem(status: number, body: unknown, headers: Record<string, string> = {}): Response {
  const text = typeof body === 'string' ? body : JSON.stringify(body)
  return new Response(text, { status, headers: { 'Content-Type': 'application/problem+json', ...headers } })
}

async function refused(promise: Promise<unknown>): Promise<ApiError> {
  const error = await promise.then(
    () => undefined,
    (e: unknown) => e,
  )
  expect(error).toBeInstanceOf(ApiError)
  return error as ApiError
}

test('addresses are filled in and what has no value is left out', () => {
  expect(address('/apis/{id}', { id: 'a/b c' }, { q: '', limit: 50, sort: undefined, tag: 'x&y' })).toBe(
    '/api/v1/apis/a%2Fb%20c?limit=50&tag=x%26y',
  )
})

describe('a call', () => {
  test('sends the session’s check value and the version with writes only', async () => {
    const { calls } = answer({
      'GET /apis/a': { object: {} },
      'PATCH /apis/a': {},
      'PATCH /me': {},
      'DELETE /session': new Response(null, { status: 204 }),
    })
    await call('GET /apis/{id}', { path: { id: 'a' } })
    await call('PATCH /apis/{id}', { path: { id: 'a' }, body: { name: 'b' }, ifMatch: '"7"' })
    await call('PATCH /me', { body: { theme: 'dark' } })
    await expect(call('DELETE /session')).resolves.toBeUndefined()
    expect(calls.map((c) => c.headers.get('X-CSRF-Token'))).toEqual([null, 'tok', 'tok', 'tok'])
    expect(calls[1]?.headers.get('If-Match')).toBe('"7"')
    expect(calls.map((c) => c.headers.get('Content-Type'))).toEqual([
      null,
      'application/merge-patch+json',
      'application/json',
      null,
    ])
    expect(calls[1]?.body).toEqual({ name: 'b' })
  })

  test('gives the version of what it read', async () => {
    answer({ 'GET /apis/a': new Response('{"object":{}}', { headers: { 'Content-Type': 'application/json', ETag: '"12"' } }) })
    expect((await exchange('GET /apis/{id}', { path: { id: 'a' } })).etag).toBe('"12"')
  })

  test('tells what the server refused', async () => {
    const body = {
      code: 'auth.locked',
      title: 'too many',
      params: { seconds: 9 },
      requestId: 'r1',
      problems: [{ code: 'required', path: '/a', message: 'm', severity: 'error' }],
    }
    answer({ 'POST /session': problem(429, body, { 'Retry-After': '9' }) })
    const e = await refused(call('POST /session', { body: { login: 'a', password: 'b' } }))
    expect({ code: e.code, status: e.status, id: e.requestId, wait: e.retryAfter, n: e.problems.length }).toEqual({
      code: 'auth.locked',
      status: 429,
      id: 'r1',
      wait: 9,
      n: 1,
    })
    expect(sessionEnded).not.toHaveBeenCalled()
    expect(heard).toHaveBeenLastCalledWith(true)
  })

  test('takes a refused sign-in for no end of a session, any other 401 for one', async () => {
    answer({
      'POST /session': problem(401, { code: 'auth.invalid', title: 't' }),
      'GET /me': problem(401, { code: 'auth.expired', title: 't' }),
    })
    await refused(call('POST /session', { body: { login: 'a', password: 'b' } }))
    expect(sessionEnded).not.toHaveBeenCalled()
    await refused(call('GET /me'))
    expect(sessionEnded).toHaveBeenCalledOnce()
  })

  test('names a proxy’s page and a broken answer what they are', async () => {
    answer({
      'GET /me': new Response('<html>', { status: 502, statusText: 'Bad Gateway' }),
      'GET /meta': new Response('{', { headers: { 'Content-Type': 'application/json' } }),
    })
    const e = await refused(call('GET /me'))
    expect([e.code, e.status, e.message]).toEqual(['unreadable', 502, '502 Bad Gateway'])
    expect(heard).toHaveBeenLastCalledWith(false)
    expect((await refused(call('GET /meta'))).code).toBe('unreadable')
  })

  test('tells a silent server from a caller that went away', async () => {
    globalThis.fetch = () => Promise.reject(new TypeError('failed'))
    expect((await refused(call('GET /me'))).code).toBe('network')
    expect(heard).toHaveBeenLastCalledWith(false)
    heard.mockClear()
    const gone = new AbortController()
    gone.abort()
    globalThis.fetch = (_, init) => Promise.reject(init?.signal?.reason)
    await expect(call('GET /me', { signal: gone.signal })).rejects.toHaveProperty('name', 'AbortError')
    expect(heard).not.toHaveBeenCalled()
  })

  test('gives up in time', async () => {
    globalThis.fetch = (_, init) =>
      new Promise((_, reject) => init?.signal?.addEventListener('abort', () => reject(init.signal?.reason)))
    expect((await refused(call('GET /me', { timeout: 5 }))).code).toBe('timeout')
  })
})

describe('an error', () => {
  const texts = i18n('en', flatten(en), 'UTC')
  test('is explained by its code, with its values', () => {
    expect(explain(new ApiError('auth.locked', 'x', 429, {}, [], '', 8), texts)).toBe(
      'Too many failed sign-ins. Try again in 8 seconds.',
    )
    expect(explain(new ApiError('timeout', 'x', 0, { ms: 15_000 }), texts)).toBe(
      'The console’s server did not answer within 15 s.',
    )
  })
  test('without a translation shows the server’s sentence', () => {
    expect(explain(new ApiError('some.new_code', 'the thing is broken', 422), texts)).toBe('The thing is broken.')
    expect(
      explainProblem({ code: 'people.password_short', path: '/new', message: 'use at least 12', severity: 'error' }, texts),
    ).toBe('Use at least 12.')
  })
})

test('JSON pointers are taken apart as RFC 6901 says', () => {
  expect(segments('')).toEqual([])
  expect(segments('/a~1b/0/~0c/')).toEqual(['a/b', '0', '~c', ''])
})
