// Every route of the console in every language and theme: with data, without, without its server, and for somebody who may
// not. A route that nothing is said about here fails the step, and so does one that is no longer there. SLUICE_STATES names
// some of the states.
import { demand, everywhere, plainProfile, signedIn, Visitor } from '../harness.mjs'
import { permissions, routes } from '../routes.mjs'

const unknown = 'no-such-thing'

/** Where each route is seen: with data; and empty, by a search without a match or an object that is not there. */
function places(made) {
  const name = { ready: (p) => p.getByText(made.name).first().waitFor() }
  return {
    '/': { loaded: ['/'], empty: [] }, // its empty state is the first step's, on a platform without anything
    '/apis': { loaded: ['/apis', name], empty: [`/apis?q=${unknown}`] },
    '/apis/new': { loaded: ['/apis/new'], empty: [] },
    '/apis/$id': {
      loaded: [`/apis/${made.api}`, name],
      more: [
        [
          `/apis/${made.api}?tab=edit`,
          {
            ready: (p) =>
              p
                .getByLabel(/Listen path|리슨 경로/)
                .first()
                .waitFor(),
          },
        ],
        [`/apis/${made.api}?tab=json`, { ready: (p) => p.locator('.cm-content').waitFor() }],
      ],
      empty: [`/apis/${unknown}`],
    },
    '/keys': { loaded: ['/keys', { ready: (p) => p.getByText(made.alias).first().waitFor() }], empty: [`/keys?q=${unknown}`] },
    '/keys/new': { loaded: ['/keys/new'], empty: [] },
    '/keys/$id': {
      loaded: [`/keys/${made.key}`, { ready: (p) => p.getByText(made.alias).first().waitFor() }],
      empty: [`/keys/${unknown}`],
    },
    '/requests': {
      loaded: [`/requests?api=${made.api}`, { ready: (p) => p.getByText(`/${made.api}/hello`).first().waitFor() }],
      empty: [`/requests?api=${unknown}`],
    },
    '/requests/$id': {
      loaded: [`/requests/${made.request}`, { ready: (p) => p.getByRole('dialog').getByText('hello').first().waitFor() }],
      empty: [`/requests/${unknown}`],
    },
    '/gateways': {
      loaded: ['/gateways', { ready: (p) => p.getByText('gateway-1').first().waitFor() }],
      empty: [`/gateways?q=${unknown}`],
    },
    '/gateways/$id': {
      loaded: [`/gateways/${made.node}`, { ready: (p) => p.getByText('Redis').first().waitFor() }],
      empty: [`/gateways/${unknown}`],
    },
    '/revisions': {
      loaded: ['/revisions', { ready: (p) => p.getByText(made.api).first().waitFor() }],
      empty: [`/revisions?kind=api&id=${unknown}`],
    },
    '/revisions/$n': {
      loaded: [`/revisions/${made.revision}`, name],
      more: [[`/revisions/${made.revision}?view=diff`, name]],
      empty: ['/revisions/999999'],
    },
    '/me': { loaded: ['/me'], empty: [] },
    '/login': { loaded: ['/login'], empty: [] },
    $: { loaded: [`/${unknown}`], empty: [] },
  }
}

/** One of everything, made by the API. */
async function examples(page, env) {
  const api = `every-${Date.now().toString(36)}`
  const name = `Every page ${api}`
  const { revision } = await demand(page, 'POST', '/apis', {
    id: api,
    name,
    listen: { path: `/${api}/` },
    upstream: { targets: [{ url: env.upstream }] },
    filters: { auth: { any: [{ key: {} }] } },
  })
  const alias = `key of ${api}`
  const { object: key, secret } = await demand(page, 'POST', '/keys', { alias, rights: [{ api }] })
  const { items: nodes } = await demand(page, 'GET', '/gateways')
  await until(async () => {
    const answer = await fetch(`${env.gateways[0]}/${api}/hello`, { headers: { Authorization: secret } })
    return answer.status === 200
  }, 'the API does not answer')
  let request = ''
  await until(async () => {
    request = (await demand(page, 'GET', `/requests?api=${api}&status=200`)).items[0]?.id ?? ''
    return request !== ''
  }, 'the request is not recorded')
  const { secret: viewer } = await demand(page, 'POST', '/tokens', { name: `viewer of ${api}`, role: 'viewer' })
  const node = nodes.find((n) => n.service === 'gateway').id
  return { api, name, revision, key: key.id, alias, node, request, viewer }
}

async function until(ask, fault) {
  const deadline = Date.now() + 20_000
  while (!(await ask())) {
    if (Date.now() > deadline) throw new Error(fault)
    await new Promise((done) => setTimeout(done, 200))
  }
}

/** An error is said where it is heard. */
const told = { ready: (p) => p.getByRole('alert').first().waitFor() }

/** Answers like a dashboard that refuses everything but the session. */
const refuse = (status, document) => (route) =>
  /\/api\/v1\/(session|events|me)\b/.test(new URL(route.request().url()).pathname)
    ? route.continue()
    : route.fulfill({
        status,
        contentType: 'application/problem+json',
        body: JSON.stringify({ type: 'about:blank', status, requestId: 'EDGE', ...document }),
      })

/** A real viewer: may read everything, and is told what is missing where a page is for writing. */
async function asViewer(browser, env, made, each, needs) {
  const viewer = await new Visitor(browser, { ...env, token: made.viewer, prefs: { language: 'en', theme: 'light' } }).open()
  viewer.expectFault(new RegExp(`status of 403 .*/api/v1/apis/${made.api}`))
  for (const [route, { loaded }] of each) {
    if (route === '/login') continue // somebody with a token has nothing to do there
    const lacks = needs[route]?.endsWith(':write')
    await everywhere(viewer, loaded[0], called('viewer', loaded[0]), {
      crosswise: true,
      ready: lacks ? (p) => p.getByRole('alert').getByText(needs[route]).waitFor() : loaded[1]?.ready,
    })
  }
  const tried = await viewer.page.evaluate(
    async (id) => (await fetch(`/api/v1/apis/${id}`, { method: 'DELETE', headers: { 'If-Match': '*' } })).status,
    made.api,
  )
  if (tried !== 403) viewer.faults.push(`a viewer's deletion was answered with ${tried}`)
  await viewer.close()
}

/** The address of a place, for the name of what was seen there. */
const called = (state, path) => `${state}${path.replaceAll(/[^\w]+/g, '-')}`

export default async function everyRoute(browser, env) {
  const v = await signedIn(browser, env)
  const { page } = v
  await plainProfile(page)
  const made = await examples(page, env)
  const all = places(made)
  const odd = [...routes().filter((r) => !all[r]), ...Object.keys(all).filter((r) => !routes().includes(r))]
  if (odd.length > 0) throw new Error(`the routes ${odd.join(', ')} are not said here, or not in src/routes.tsx`)
  const each = Object.entries(all)
  const needs = permissions()
  const asks = (route) => needs[route] && !route.endsWith('/new')

  const states = {
    async loaded() {
      for (const [, { loaded, more = [] }] of each) {
        for (const [path, ready] of [loaded, ...more]) await everywhere(v, path, called('loaded', path), ready)
      }
    },
    // What is not there is answered by 404, which browsers write to the console.
    async empty() {
      v.expectFault(new RegExp(`status of 404 .*/(${unknown}|999999)`))
      for (const path of each.flatMap(([, p]) => p.empty)) await everywhere(v, path, called('empty', path))
    },
    // The dashboard answers 503 to everything but the session: every page says so, none is blank.
    async error() {
      const away = refuse(503, { code: 'store.unavailable', title: 'the configuration store does not answer' })
      v.expectFault(/status of 503 .*\/api\/v1\//)
      await page.route('**/api/v1/**', away)
      for (const [route, { loaded }] of each) await everywhere(v, loaded[0], called('error', loaded[0]), asks(route) && told)
      await page.unroute('**/api/v1/**', away)
    },
    // A reading that is refused, as a role without it would meet; the built-in roles may all read.
    async refused() {
      v.expectFault(/status of 403 .*\/api\/v1\//)
      for (const [route, { loaded }] of each.filter(([r]) => asks(r))) {
        const params = { permission: needs[route] }
        const denied = refuse(403, { code: 'auth.denied', title: `the permission ${needs[route]} is missing`, params })
        await page.route('**/api/v1/**', denied)
        await everywhere(v, loaded[0], called('refused', loaded[0]), { ...told, crosswise: true })
        await page.unroute('**/api/v1/**', denied)
      }
    },
    viewer: () => asViewer(browser, env, made, each, needs),
  }
  const wanted = (process.env.SLUICE_STATES ?? Object.keys(states).join()).split(',')
  const took = {}
  for (const name of wanted) {
    const begun = Date.now()
    await states[name]()
    took[name] = Date.now() - begun
    if (v.faults.length > 0) break // what comes next would say the same again
  }
  await demand(page, 'DELETE', `/apis/${made.api}`, undefined, '*')
  console.log(`every route, ms: ${JSON.stringify(took)}`)
  await v.close()
}
