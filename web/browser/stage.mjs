// A platform with life in it, for looking at: three gateways, a dozen APIs, keys in every state, traffic of every kind,
// revisions by two authors. Everything is made through the platform's own API; nothing of it is invented by the console.
import { spawn } from 'node:child_process'
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { createServer, request } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('../../', import.meta.url))
export const password = 'the river has three gates'

const apis = [
  { id: 'orders', name: 'Orders', path: '/orders/', tags: ['shop'], owners: ['team-shop'], endpoints: true },
  { id: 'payments', name: '결제', path: '/payments/', tags: ['shop'], owners: ['team-pay'] },
  { id: 'members', name: '회원', path: '/members/v2/', tags: ['account'] },
  { id: 'catalog', name: 'Catalog', path: '/catalog/', open: true, tags: ['shop'] },
  { id: 'shipping', name: '배송 조회', path: '/shipping/', tags: ['shop', 'partner'] },
  { id: 'invoices', name: 'Invoices', path: '/invoices/' },
  { id: 'search', name: 'Search', path: '/search/', open: true },
  { id: 'inventory', name: '재고', path: '/inventory/' },
  { id: 'reports', name: 'Reports', path: '/reports/', disabled: true },
  { id: 'notifications', name: '알림 발송', path: '/notifications/', domain: 'api.shop.example' },
  {
    id: 'settlement-reconciliation-for-partner-marketplaces',
    name: 'Settlement reconciliation for partner marketplaces (quarterly statements)',
    path: '/settlement/reconciliation/partner-marketplaces/quarterly-statements/v2026-11/',
    tags: ['partner'],
  },
  { id: 'legacy', name: 'Legacy storefront', path: '/legacy/', down: true },
]

const day = 86_400_000
const soon = (days) => new Date(Date.now() + days * day).toISOString().replace(/\.\d+Z$/, 'Z')
const keys = [
  { alias: 'mobile-app', owner: '김서연', rights: [{ api: '*' }], expiresAt: soon(365) },
  { alias: 'web-shop', owner: 'Minho Lee', rights: ['orders', 'payments', 'members', 'inventory'], expiresAt: soon(180) },
  { alias: '정산-배치', owner: '박지훈', rights: ['invoices', 'settlement-reconciliation-for-partner-marketplaces'] },
  { alias: 'partner-acme', owner: 'ACME Logistics', rights: ['shipping'], tags: ['partner'], expiresAt: soon(30) },
  { alias: 'partner-globex', owner: 'Globex', rights: ['shipping', 'orders'], tags: ['partner'], expiresAt: soon(90) },
  { alias: 'warehouse-terminal', owner: '물류팀', rights: ['inventory'] },
  { alias: 'nightly-report', owner: 'Data team', rights: ['reports', 'invoices'], expiresAt: soon(7) },
  { alias: '알림-워커', owner: '이하은', rights: ['notifications'] },
  { alias: 'load-test', owner: 'Platform team', rights: ['orders'], suspended: true },
  {
    alias: 'integration-staging-environment-do-not-use-in-production',
    owner: 'Platform team',
    rights: ['orders'],
    suspended: true,
  },
  { alias: 'intern-2025', owner: '최민준', rights: ['catalog'], revoked: true },
  { alias: 'old-mobile-app', owner: '김서연', rights: ['orders'], revoked: true },
  { alias: 'pos-terminal', owner: '매장 운영', rights: ['orders', 'payments'], expiresAt: soon(365) },
  { alias: 'demo', owner: 'Sales', rights: ['orders'], expiring: true },
  { alias: 'monitoring', owner: 'Platform team', rights: [{ api: '*' }] },
]

/** What the services behind the gateways answer: most of it well, some of it late, some of it with a failure. */
function backend() {
  const server = createServer((req, res) => {
    const url = req.url ?? '/'
    const late = /export|report|statement/.test(url) ? 650 : 3 + ((url.length * 7) % 60)
    const status = /missing|8404/.test(url) ? 404 : /broken|refund/.test(url) ? 503 : req.method === 'POST' ? 201 : 200
    req.resume()
    req.on('end', () =>
      setTimeout(() => {
        res.writeHead(status, { 'Content-Type': 'application/json', 'Cache-Control': 'no-store' })
        res.end(
          JSON.stringify(
            status < 400 ? { id: '8412', state: 'paid', total: 42_900, currency: 'KRW' } : { error: 'not this time' },
          ),
        )
      }, late),
    )
  })
  return new Promise((done) => server.listen(0, '127.0.0.1', () => done(server)))
}

/** A call of a management API: in a session of its own, or by a token. */
function client(url, { token, session } = {}) {
  return async (method, path, body, etag) => {
    const r = await fetch(`${url}/api/v1${path}`, {
      method,
      headers: {
        ...(token && { Authorization: `Bearer ${token}` }),
        ...(session && { Cookie: session.cookie, 'X-CSRF-Token': session.csrf }),
        ...(body && { 'Content-Type': method === 'PATCH' ? 'application/merge-patch+json' : 'application/json' }),
        ...(etag && { 'If-Match': etag }),
      },
      body: body && JSON.stringify(body),
    })
    const text = await r.text()
    const document = text ? JSON.parse(text) : {}
    if (!r.ok) throw new Error(`${method} ${path}: ${r.status} ${text}`)
    return { document, etag: r.headers.get('ETag'), cookies: r.headers.getSetCookie() }
  }
}

async function signIn(url) {
  const { document, cookies } = await client(url)('POST', '/session', { login: 'admin', password })
  return { csrf: document.csrf, cookie: cookies.map((c) => c.split(';')[0]).join('; ') }
}

function definition(a, port) {
  return {
    id: a.id,
    name: a.name,
    ...(a.tags && { tags: a.tags }),
    ...(a.owners && { owners: a.owners }),
    listen: { path: a.path, ...(a.domain && { domains: [a.domain] }) },
    upstream: { targets: [{ url: `http://127.0.0.1:${a.down ? 9 : port}` }] },
    filters: { auth: a.open ? { open: true } : { any: [{ key: { in: [{ header: 'Authorization' }] } }] } },
    ...(a.endpoints && {
      endpoints: [
        { id: 'list-orders', methods: ['GET'], path: '/', summary: 'List orders' },
        { id: 'one-order', methods: ['GET', 'DELETE'], path: '/{id}', summary: '주문 한 건' },
      ],
    }),
  }
}

/** One call through a gateway; its answer is of no interest, its record is. */
function knock(gateway, path, { method = 'GET', secret, host } = {}) {
  return new Promise((done) => {
    const headers = { ...(secret && { Authorization: secret }), ...(host && { Host: host }) }
    const req = request(gateway + path, { method, headers }, (res) => {
      res.resume()
      res.on('end', done)
    })
    req.on('error', done)
    req.end()
  })
}

/** The calls of one round, in the order in which they are made. */
function round(n, secrets) {
  const id = 8400 + (n % 40)
  const s = (alias) => secrets[alias]
  return [
    [`/orders/${id}`, { secret: s('mobile-app') }],
    ['/catalog/items?page=2', {}],
    ['/payments/authorize', { method: 'POST', secret: s('web-shop') }],
    ['/search/?q=%EC%9A%B4%EB%8F%99%ED%99%94', {}],
    [`/members/v2/${id}`, { secret: s('mobile-app') }],
    [`/shipping/track/${id}`, { secret: s('partner-acme') }],
    ['/inventory/sku/A-1029', { secret: s('warehouse-terminal') }],
    ['/notifications/push', { method: 'POST', secret: s('알림-워커'), host: 'api.shop.example' }],
    ...(n % 3 ? [] : [['/orders/8404', { secret: s('web-shop') }]]),
    ...(n % 4 ? [] : [['/payments/refund', { method: 'POST', secret: s('pos-terminal') }]]),
    ...(n % 5 ? [] : [['/invoices/export/2026-10', { secret: s('정산-배치') }]]),
    ...(n % 6 ? [] : [[`/orders/${id}`, {}]]),
    ...(n % 7 ? [] : [['/wp-login.php', {}]]),
    ...(n % 9 ? [] : [['/legacy/home', { secret: s('monitoring') }]]),
    ...(n % 11 ? [] : [['/orders/8410', { secret: s('old-mobile-app') }]]),
  ]
}

async function makeKeys(call) {
  const secrets = {}
  for (const k of keys) {
    const { document, etag } = await call('POST', '/keys', {
      alias: k.alias,
      owner: k.owner,
      tags: k.tags,
      rights: k.rights.map((r) => (typeof r === 'string' ? { api: r } : r)),
      expiresAt: k.expiring ? new Date(Date.now() + 2_000).toISOString() : k.expiresAt,
    })
    secrets[k.alias] = document.secret
    const at = `/keys/${document.object.id}`
    if (k.revoked) await call('POST', `${at}/revoke`, undefined, etag)
    if (k.suspended) await call('PATCH', at, { state: 'suspended' }, etag)
  }
  return secrets
}

/** Changes after the creations, so that there is a history to read. */
async function edit(call, id, patch, note) {
  const { etag } = await call('GET', `/apis/${id}`)
  await call('PATCH', `/apis/${id}?note=${encodeURIComponent(note)}`, patch, etag)
}

async function makeApis(admin, second, port) {
  for (const [i, a] of apis.entries()) await (i % 3 === 1 ? second : admin)('POST', '/apis', definition(a, port))
  await edit(admin, 'reports', { state: 'disabled' }, 'Replaced by the data warehouse')
  await edit(second, 'orders', { upstream: { timeouts: { connect: '2s' } } }, 'Fail sooner when the order service is away')
  await edit(admin, 'payments', { description: '카드와 계좌 결제' }, '설명 추가')
  await edit(second, 'catalog', { tags: ['shop', 'public'] }, '')
  await edit(admin, 'orders', { description: 'Everything about an order, from basket to door.' }, '')
  await edit(second, 'shipping', { owners: ['team-logistics'] }, '담당 팀 지정')
}

async function start(data, ready, gateways) {
  const flags = { data, 'dashboard-port': 0, 'gateway-port': 0, 'pump-port': 0, gateways, 'ready-file': ready }
  const args = Object.entries(flags).flatMap(([k, v]) => [`--${k}`, String(v)])
  const child = spawn(join(root, 'bin', 'sluice-quickstart'), args, {
    stdio: ['ignore', 'ignore', 'inherit'],
    env: { ...process.env, SLUICE_ADMIN_PASSWORD: password },
  })
  for (let i = 0; !existsSync(ready); i++) {
    if (child.exitCode !== null || i > 600) throw new Error('the platform did not start; was it built (make build)?')
    await new Promise((r) => setTimeout(r, 100))
  }
  return { child, ...JSON.parse(readFileSync(ready, 'utf8')) }
}

/**
 * Starts the platform and fills it. `fill: false` leaves it as a first admin finds it. The answer has its address, what
 * calls it (`admin`), `traffic(rounds)`, and `end()`.
 */
export async function stage({ gateways = 3, fill = true } = {}) {
  const folder = mkdtempSync(join(tmpdir(), 'sluice-stage-'))
  const server = await backend()
  const { child, ...platform } = await start(join(folder, 'data'), join(folder, 'ready.json'), gateways)
  const url = platform.dashboard.url
  const stop = async () => {
    child.kill('SIGTERM')
    if (child.exitCode === null) await new Promise((r) => child.once('exit', r))
    server.close()
    rmSync(folder, { recursive: true, force: true })
  }
  try {
    const admin = client(url, { session: await signIn(url) })
    const made = {
      url,
      admin,
      platform,
      upstream: `http://127.0.0.1:${server.address().port}`,
      login: 'admin',
      password,
      end: stop,
    }
    if (!fill) return made
    const token = await admin('POST', '/tokens', { name: 'deploy-pipeline', role: 'operator' })
    const second = client(url, { token: token.document.secret })
    await makeApis(admin, second, server.address().port)
    const secrets = await makeKeys(admin)
    let n = 0
    const traffic = async (rounds, pause = 0) => {
      for (let i = 0; i < rounds; i++, n++) {
        for (const [path, options] of round(n, secrets)) {
          await knock(platform.gateways[n % platform.gateways.length].url, path, options)
        }
        if (pause) await new Promise((r) => setTimeout(r, pause))
      }
    }
    return { ...made, traffic }
  } catch (e) {
    await stop()
    throw e
  }
}
