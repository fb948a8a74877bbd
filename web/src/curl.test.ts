import { expect, it } from 'vitest'
import { curl, curlAgain, isSecret, quote } from './curl'

it.each([
  ['plain', 'plain'],
  ['a b', "'a b'"],
  ["it's", `'it'\\''s'`],
  ['$(rm)', "'$(rm)'"],
  ['', "''"],
  ['http://a/b?c=1&d', "'http://a/b?c=1&d'"],
])('%j is one word: %s', (word, want) => expect(quote(word)).toBe(want))

it.each(['Authorization', 'cookie', 'X-Api-Key', 'x-auth-token', 'X-Hub-Signature'])('%s is secret', (n) =>
  expect(isSecret(n)).toBe(true),
)
it.each(['Accept', 'Content-Type', 'User-Agent'])('%s is not', (n) => expect(isSecret(n)).toBe(false))

it('sends a request again without its secrets', () => {
  expect(
    curlAgain({
      method: 'POST',
      url: 'http://gw/orders/?a=1',
      headers: [
        ['Host', 'gw'],
        ['Authorization', 'Bearer slc_abc'],
        ['Content-Type', 'application/json'],
      ],
      body: '{"a":"it\'s"}',
    }),
  ).toBe(
    `curl -i -X POST 'http://gw/orders/?a=1' \\\n  -H "Authorization: $AUTHORIZATION" \\\n  -H 'Content-Type: application/json' \\\n  --data-binary '{"a":"it'\\''s"}'`,
  )
  expect(curl({ url: 'http://gw/' })).toBe('curl -i http://gw/')
})

it.each([
  ['http://$GATEWAY/a b', '"http://$GATEWAY/a b"'],
  ['Authorization: Bearer $API_KEY', '"Authorization: Bearer $API_KEY"'],
  ['$GATEWAY `rm` "$HOME" \\', '"$GATEWAY \\`rm\\` \\"\\$HOME\\" \\\\"'],
  ['$GATEWAYS', "'$GATEWAYS'"],
])('only the named variables of %j are left to the shell', (word, want) => expect(quote(word, ['GATEWAY', 'API_KEY'])).toBe(want))
