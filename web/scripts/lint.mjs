// Rules that Biome does not know: a third-party kit is wrapped in src/ui once, the barrel of icons is never imported,
// and no text of the console stands outside src/i18n.
import { readFileSync } from 'node:fs'
import { relative } from 'node:path'
import { files } from './compress.mjs'

const root = new URL('..', import.meta.url).pathname

/** Faults of one file's text; path is relative to web/. */
export function faults(path, text) {
  const found = []
  const at = (re, message) => {
    for (const m of text.matchAll(re)) found.push(`${path}:${text.slice(0, m.index).split('\n').length}: ${message}`)
  }
  const imports = (name) => new RegExp(`(from|import\\()\\s*['"]${name}`, 'g')
  if (!path.startsWith('src/ui/')) {
    at(imports('@mantine/'), 'Mantine is wrapped in src/ui; import from there')
    at(imports('@tabler/'), 'icons come from src/ui/icons')
    at(imports('@codemirror/'), 'the editor is src/ui/JsonEditor')
  } else {
    at(/from '@tabler\/icons-react'/g, 'import one icon from dist/esm/icons, not all of them')
  }
  if (/^src\/(?!i18n\/).*\.tsx?$/.test(path) && !/\.test\.tsx?$/.test(path)) {
    at(/[\u3131-\uD79D]+/g, 'Korean stands in src/i18n only')
  }
  if (path.startsWith('src/pages/') && !/\.test\.tsx$/.test(path)) {
    at(/\bstyle=\{\{[^}]*(#[0-9a-f]{3}|rgb)/gi, 'a colour is a token of src/styles/tokens.css')
    at(/dangerouslySetInnerHTML/g, 'no raw HTML')
  }
  return found
}

if (process.argv[1] === import.meta.filename) {
  const all = [...files(`${root}src`)]
    .filter((p) => /\.tsx?$/.test(p))
    .flatMap((p) => faults(relative(root, p), readFileSync(p, 'utf8')))
  for (const line of all) console.error(line)
  if (all.length > 0) process.exit(1)
}
