// A platform on which nothing was made yet: what each list is for and what to do first, in every language and theme.
import { everywhere, plainProfile, signedIn } from '../harness.mjs'

export default async function empty(browser, env) {
  const v = await signedIn(browser, env)
  await plainProfile(v.page)
  const list = async (path) => (await (await v.page.request.get(`${env.url}/api/v1${path}`)).json()).items.length
  // By hand the steps run on platforms that were used; there is nothing empty to see then.
  const fresh = (await list('/apis')) === 0 && (await list('/keys')) === 0
  if (fresh) {
    for (const path of ['/', '/apis', '/keys', '/requests', '/gateways', '/revisions']) {
      await everywhere(v, path, `fresh${path.replaceAll('/', '-')}`)
    }
  }
  await v.close()
}
