import { describe, expect, it } from 'vitest'
import { latency, parseTokens, question, writeTokens } from './tokens'

describe('the search of requests', () => {
  it.each([
    ['', {}],
    ['status:5xx', { status: '5xx' }],
    ['status:5xx status:404', { status: '404' }],
    ['api:none', { noApi: '1' }],
    ['api:orders method:get latency:>500', { api: 'orders', method: 'GET', minLatency: '500ms' }],
    ['path:/a/* /orders', { path: '/a/*', q: '/orders' }],
    ['path:"/a b" x y', { path: '/a b', q: 'x y' }],
    ['id:737x4e03g85r0000005j', { requestId: '737x4e03g85r0000005j' }],
    ['target:http://10.0.0.5:3000', { target: 'http://10.0.0.5:3000' }],
    ['client:2001:db8::1', { client: '2001:db8::1' }],
    ['colour:red', { q: 'colour:red' }],
    ['status:', {}],
    ['주문', { q: '주문' }],
    ['"status:5xx"', { q: 'status:5xx' }],
  ])('%j asks %j', (text, asked) => {
    expect(question(parseTokens(text))).toEqual(asked)
  })

  it.each(['status:5xx api:orders /x', 'path:"/a b" client:::1', 'plain words', ''])('%j is written as it was read', (text) => {
    expect(writeTokens(parseTokens(text))).toBe(text)
  })

  it.each([
    ['>500', '500ms'],
    ['>=1.5', '1.5ms'],
    ['2s', '2s'],
    ['>2s', '2s'],
    ['soon', 'soon'],
  ])('latency %j is %j', (text, value) => expect(latency(text)).toBe(value))
})
