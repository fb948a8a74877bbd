import { describe, expect, it } from 'vitest'
import { envFile, keyCurl, keyPlace } from './call'

const api = (auth: unknown, listen: unknown = { path: '/orders/' }) => ({ name: 'Orders', listen, filters: { auth } })
const key = (...places: unknown[]) => ({ any: [{ key: places.length > 0 ? { in: places } : {} }] })

describe('the command that calls an API with a key', () => {
  it.each([
    [api(key()), undefined, `curl -i "http://$GATEWAY"/orders/ \\\n  -H 'Authorization: slc_x'`],
    [api(key({ header: 'X-Key', scheme: 'ApiKey' })), 'gw:8080', `curl -i http://gw:8080/orders/ \\\n  -H 'X-Key: ApiKey slc_x'`],
    [api(key({ query: 'key' })), 'gw:8080', "curl -i 'http://gw:8080/orders/?key=slc_x'"],
    [api(key({ cookie: 'k' })), 'gw:8080', 'curl -i http://gw:8080/orders/ \\\n  -b k=slc_x'],
    [api({ open: true }), 'gw:8080', 'curl -i http://gw:8080/orders/'],
    [
      api(key(), { domains: ['api.example.com'], path: '/o/' }),
      undefined,
      `curl -i http://api.example.com/o/ \\\n  -H 'Authorization: slc_x'`,
    ],
  ])('%#', (definition, gateway, want) => expect(keyCurl(definition, 'slc_x', gateway)).toBe(want))

  it('is not there where another credential is asked for', () => {
    expect(keyCurl(api({ any: [{ jwt: {} }] }), 'slc_x')).toBeUndefined()
    expect(keyPlace({ name: 'Bare' })).toBeUndefined()
  })
})

it('an alias cannot add lines to the .env file', () => {
  expect(envFile('a\nEVIL=1', 'slc_x')).toBe('# a EVIL=1\nAPI_KEY=slc_x\n')
})
