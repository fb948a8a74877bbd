// The console's own texts for the steps that are walked in both languages: what is looked for is what the page must say.
import { readdirSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { runnerImport } from 'vite'

const load = async (path) => (await runnerImport(fileURLToPath(new URL(path, import.meta.url)), { configFile: false })).module

/** Every area of a language, also those that come with pages. */
async function areasOf(language) {
  const folder = `../src/i18n/${language}/`
  const files = readdirSync(new URL(folder, import.meta.url)).filter((f) => f !== 'index.ts')
  return Object.assign({}, ...(await Promise.all(files.map((f) => load(folder + f)))))
}

const [en, ko, { write, parts }] = await Promise.all([areasOf('en'), areasOf('ko'), load('../src/i18n/message.ts')])

/** Texts of one language: `t` of a text whose values are known, `like` a pattern of one where some are not. */
export function words(language) {
  const table = language === 'ko' ? ko : en
  const find = (key) => {
    const dot = key.indexOf('.')
    const text = table[key.slice(0, dot)]?.[key.slice(dot + 1)]
    if (text === undefined) throw new Error(`there is no text ${key}`)
    return text
  }
  return {
    t: (key, values) => write(find(key), language, values),
    like: (key, values = {}) => {
      const pattern = parts(find(key)).map((part) => {
        if (typeof part === 'string') return quoted(part)
        if (values[part.name] === undefined) return '.+'
        return quoted(
          write(
            `{${part.name}${part.particle ? `:${part.particle}` : ''}${(part.plural ?? []).map((p) => `|${p}`).join('')}}`,
            language,
            values,
          ),
        )
      })
      return new RegExp(pattern.join(''))
    },
  }
}

function quoted(text) {
  return text.replace(/[.*+?^${}()|[\]\\]/g, '\\$&')
}
