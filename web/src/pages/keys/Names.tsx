import { useRead } from '../../api/query'
import { useSession } from '../../session'

/** How long a name is believed, in milliseconds; events of a change make it be read anew before. */
const believed = 60_000

/** The name of an API; its id where it is gone or may not be read. */
export function useApiName(id: string): string {
  const { can } = useSession()
  const { data } = useRead('GET /apis/{id}', { path: { id } }, { enabled: can('apis:read'), staleTime: believed })
  return data?.meta.id === id ? data.object.name : id
}

/** The name of a policy; its id where it is gone or may not be read. */
export function usePolicyName(id: string): string {
  const { can } = useSession()
  const { data } = useRead('GET /policies/{id}', { path: { id } }, { enabled: can('policies:read'), staleTime: believed })
  return data?.meta.id === id ? data.object.name : id
}
