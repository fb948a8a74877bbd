import { expect, test } from 'vitest'
import type { Definition, Node } from '../api/schema'
import { accessOf, curl, keyHeaderOf, liveOn, urlOf } from './read'

const gateway = (some: Partial<Node>): Node => ({
  id: 'g',
  name: 'g',
  service: 'gateway',
  version: '1',
  state: 'current',
  epoch: 1,
  generation: 5,
  expected: 5,
  redisOk: true,
  startedAt: '',
  seenAt: '',
  load: { rps: 0, connections: 0, inFlight: 0, rss: 0, goroutines: 0 },
  clockOffsetMs: 0,
  ...some,
})
const api = (some: Record<string, unknown>): Definition => ({ name: 'x', ...some })

test.each([
  [{ filters: { auth: { open: true } } }, 'all'],
  [{ filters: { auth: { any: [{ key: {} }] } } }, 'no'],
  [{ filters: { auth: { any: [{ key: {} }], anonymous: true } } }, 'anonymous'],
  [{ filters: { auth: { any: [{ key: {} }] } }, endpoints: [{ filters: { auth: 'off' } }] }, 'part'],
  [{ filters: null, endpoints: 7 }, 'no'],
])('who may call %j', (definition, open) => {
  expect(accessOf(api(definition)).open).toBe(open)
})

test('a key is shown in the header that the definition names', () => {
  const auth = (key: unknown) => api({ filters: { auth: { any: [{ key }] } } })
  expect(keyHeaderOf(auth({}))).toEqual({ name: 'Authorization', scheme: '' })
  expect(keyHeaderOf(auth({ in: [{ header: 'X-Key', scheme: 'Bearer' }] }))).toEqual({ name: 'X-Key', scheme: 'Bearer' })
  expect(keyHeaderOf(auth({ in: [{ query: 'k' }] }))).toBeUndefined()
  expect(keyHeaderOf(api({ filters: { auth: { open: true } } }))).toBeUndefined()
})

test.each([
  [['api.example.com'], '[::]:8080', 'http://api.example.com:8080/a/'],
  [['*.example.com'], '[::]:8080', 'http://here:8080/a/'],
  [[], '10.0.0.1:80', 'http://10.0.0.1/a/'],
  [[], '[2001:db8::1]:8080', 'http://[2001:db8::1]:8080/a/'],
  [[], '', 'http://here/a/'],
])('the URL for %j at %s', (domains, address, url) => {
  expect(urlOf(api({ listen: { domains, path: '/a/' } }), [gateway({ address })], 'here').url).toBe(url)
})

test('live is what connected gateways of its groups say', () => {
  const nodes = [
    gateway({ id: '1' }),
    gateway({ id: '2', generation: 4 }),
    gateway({ id: '3', state: 'offline' }),
    gateway({ id: '4', group: 'other' }),
    gateway({ id: '5', rejected: [{ kind: 'api', id: 'a', org: 'o', code: 'c', message: 'm', kept: true }] }),
    gateway({ id: '6', service: 'pump' }),
  ]
  expect(liveOn(api({ groups: ['default'] }), 'a', 5, nodes)).toEqual({ live: 1, all: 3, rejected: 1 })
  expect(liveOn(api({}), 'b', 4, nodes)).toEqual({ live: 4, all: 4, rejected: 0 })
})

test('a command is safe in a shell', () => {
  expect(curl("http://h/a'b;c", [['Authorization', "x'$y"]])).toBe(
    `curl -i 'http://h/a'\\''b;c' \\\n  -H 'Authorization: x'\\''$y'`,
  )
  expect(curl('http://h/', [['Authorization', '$API_KEY']])).toContain('"Authorization: $API_KEY"')
})
