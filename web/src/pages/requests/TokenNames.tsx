import { useRead } from '../../api/query'
import { useI18n } from '../../i18n'
import { useSession } from '../../session'
import { noApi, type Token } from './tokens'

/** A condition's value as people know it: the alias of a key, the name of a gateway. */
export function TokenName({ token }: { token: Token }) {
  const { t } = useI18n()
  if (token.name === 'key') return <KeyName id={token.value} />
  if (token.name === 'node') return <NodeName id={token.value} />
  if (token.name === 'api' && token.value === noApi) return t('titles.noApi')
  return token.value
}

/** The alias of a key; its id where the key is unknown or may not be read. */
export function KeyName({ id }: { id: string }) {
  const { can } = useSession()
  const { data } = useRead('GET /keys/{id}', { path: { id } }, { enabled: can('keys:read'), staleTime: 60_000 })
  return data?.id === id ? data.alias : id
}

/** The name of a gateway; its id where it is gone or may not be read. */
export function NodeName({ id }: { id: string }) {
  const { can } = useSession()
  const { data } = useRead('GET /gateways', undefined, { enabled: can('gateways:read'), staleTime: 60_000 })
  return data?.items.find((n) => n.id === id)?.name ?? id
}
