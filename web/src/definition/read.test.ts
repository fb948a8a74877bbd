import { expect, test } from 'vitest'
import type { Definition, Node } from '../api/schema'
import { accessOf, callWith, keyPlaceOf, liveOn, urlOf, withKey, withQuery } from './read'

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

const keyed = (...places: unknown[]) =>
  api({ listen: { path: '/o/' }, filters: { auth: { any: [{ key: places.length > 0 ? { in: places } : {} }] } } })

test('a key is shown where the definition says', () => {
  expect(keyPlaceOf(keyed())).toEqual({ header: 'Authorization', scheme: '' })
  expect(keyPlaceOf(keyed({ header: 'X-Key', scheme: 'Bearer' }))).toEqual({ header: 'X-Key', scheme: 'Bearer' })
  expect(keyPlaceOf(keyed({ query: 'k' }, { header: 'X-Key' }))).toEqual({ query: 'k' })
  expect(keyPlaceOf(keyed(7, { cookie: 'c' }))).toEqual({ cookie: 'c' })
  expect(keyPlaceOf(api({ filters: { auth: { open: true, any: [{ key: {} }] } } }))).toBeUndefined()
  expect(keyPlaceOf(api({ filters: { auth: { any: [{ jwt: {} }] } } }))).toBeUndefined()
  expect(keyPlaceOf(api({}))).toBeUndefined()
})

test.each([
  [keyed(), undefined, 'curl -i http://gw/o/ \\\n  -H "Authorization: $API_KEY"'],
  [keyed({ header: 'X', scheme: 'Bearer' }), undefined, 'curl -i http://gw/o/ \\\n  -H "X: Bearer $API_KEY"'],
  [keyed({ header: 'X', scheme: 'A' }), "a'b", `curl -i http://gw/o/ \\\n  -H 'X: A a'\\''b'`],
  [keyed({ query: 'k' }), undefined, 'curl -i "http://gw/o/?k=$API_KEY"'],
  [keyed({ query: 'k' }), 'a&b', "curl -i 'http://gw/o/?k=a%26b'"],
  [keyed({ cookie: 'c' }), 'slc_x', "curl -i http://gw/o/ \\\n  -H 'Cookie: c=slc_x'"],
  [api({ filters: { auth: { open: true } } }), 'slc_x', 'curl -i http://gw/o/'],
])('the command %#', (definition, key, want) => {
  expect(callWith(definition, 'http://gw/o/', key)).toBe(want)
})

test('a key joins a query that is there', () => {
  expect(withQuery('/o/?a=1', withKey({ query: 'k' }, 'x').query)).toBe('/o/?a=1&k=x')
})

test.each([
  [['api.example.com'], '[::]:8080', 'http://api.example.com:8080/a/'],
  [['*.example.com'], '[::]:8080', 'http://here:8080/a/'],
  [[], '10.0.0.1:80', 'http://10.0.0.1/a/'],
  [[], '[2001:db8::1]:8080', 'http://[2001:db8::1]:8080/a/'],
  [[], '', 'http://$GATEWAY/a/'],
  [['api.example.com'], '', 'http://api.example.com/a/'],
])('the URL for %j at %s', (domains, address, url) => {
  expect(urlOf(api({ listen: { domains, path: '/a/' } }), [gateway({ address })], 'here').url).toBe(url)
})

test('a gateway with TLS is called by https, at 443 without a port', () => {
  const at = (address: string) => urlOf(api({ listen: { path: '/a/' } }), [gateway({ address, tls: true })], 'here').url
  expect(at('10.0.0.1:8443')).toBe('https://10.0.0.1:8443/a/')
  expect(at('[::]:443')).toBe('https://here/a/')
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
  expect(callWith(api({}), "http://h/a'b;$c")).toBe(`curl -i 'http://h/a'\\''b;$c'`)
  expect(callWith(api({}), 'http://$GATEWAY/`a`$c')).toBe('curl -i "http://$GATEWAY/\\`a\\`\\$c"')
})
