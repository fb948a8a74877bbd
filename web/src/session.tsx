import { useQuery } from '@tanstack/react-query'
import { createContext, type ReactNode, useContext, useEffect } from 'react'
import { call } from './api/client'
import { queryClient, readSession, sessionKey } from './api/query'
import type { Profile, Session } from './api/schema'
import { type Prefs, setPrefs, zoneKnown } from './prefs'

/** What a role may allow; the server's list. */
export type Permission =
  | 'apis:read'
  | 'apis:write'
  | 'policies:read'
  | 'policies:write'
  | 'certificates:read'
  | 'certificates:write'
  | 'secrets:read'
  | 'secrets:write'
  | 'documents:read'
  | 'documents:write'
  | 'keys:read'
  | 'keys:write'
  | 'gateways:read'
  | 'revisions:read'
  | 'requests:read'
  | 'people:read'
  | 'people:write'
  | 'tokens:write'

const Context = createContext<Session | null>(null)

/** Gives the session to what stands below. */
export function SessionProvider({ session, children }: { session: Session; children: ReactNode }) {
  return <Context value={session}>{children}</Context>
}

/** Who is signed in and what they may do. */
export function useSession(): Session & { can: (p: Permission) => boolean } {
  const session = useContext(Context)
  if (!session) throw new Error('useSession stands outside of the frame')
  return { ...session, can: (p) => session.permissions.includes(p) }
}

/** Asks who is signed in; null is nobody. */
export function useSessionQuery() {
  const query = useQuery({ queryKey: sessionKey, queryFn: readSession, staleTime: 60_000 })
  const user = query.data?.user
  useEffect(() => {
    if (user) adopt(user)
  }, [user])
  return query
}

/** Takes over what the server keeps for the user; what is empty there stays as this browser has it. */
function adopt(user: Session['user']): void {
  const change: Partial<Prefs> = {}
  if (user.locale === 'en' || user.locale === 'ko') change.language = user.locale
  if (user.theme === 'light' || user.theme === 'dark') change.theme = user.theme
  if (user.timeZone && zoneKnown(user.timeZone)) change.timeZone = user.timeZone
  if (Object.keys(change).length > 0) setPrefs(change)
}

/** Changes preferences here at once and with the user at the server. */
export async function savePrefs(change: Partial<Prefs>): Promise<void> {
  setPrefs(change)
  const profile: Profile = {}
  if (change.language !== undefined) profile.locale = change.language
  if (change.theme !== undefined) profile.theme = change.theme
  if (change.timeZone !== undefined) profile.timeZone = change.timeZone
  if (Object.keys(profile).length > 0) await saveProfile(profile)
}

/** Changes the user's own profile. */
export async function saveProfile(profile: Profile): Promise<void> {
  const user = await call('PATCH /me', { body: profile })
  queryClient.setQueryData<Session | null>(sessionKey, (old) => old && { ...old, user, locale: user.locale })
}

/** Ends the session and forgets everything that was read in it. */
export async function signOut(): Promise<void> {
  await call('DELETE /session')
  queryClient.setQueryData(sessionKey, null)
  queryClient.removeQueries({ predicate: (q) => q.queryKey[0] !== sessionKey[0] })
}

/** Where to go after signing in: an address of the console, never another site's. */
export function safeNext(next: string | undefined): string {
  return next?.startsWith('/') && !/^\/[/\\]/.test(next) && !next.startsWith('/login') ? next : '/'
}
