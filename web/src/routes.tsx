import type { ComponentType } from 'react'
import type { PlainKey } from './i18n'
import type { Area } from './i18n/areas'
import type { Permission } from './session'
import type { Icon } from './ui/cx'
import { HistoryIcon, KeyIcon, OverviewIcon, RequestsIcon, RouteIcon, ServerIcon } from './ui/icons'

/** The groups of the navigation, by what a person is about to do; `home` stands above them without a name. */
export type Group = 'home' | 'build' | 'observe' | 'operate' | 'admin'

/** One page of the console. */
export interface Page {
  /** Such as `/apis/$id`. */
  path: string
  /** Of the document, the breadcrumb and the navigation; a page of one object says more by useTitle. */
  title: PlainKey
  /** Where it stands in the navigation; absent: nowhere. */
  group?: Group
  icon?: Icon
  /** What its reader needs; without it the page says so. */
  permission?: Permission
  /** The letter that goes there after `g`. */
  go?: string
  /** The path of the page above it, in the breadcrumb. */
  parent?: string
  /** Fetched when it is first needed. Absent: the page above draws it, and stays as it is behind it. */
  load?: () => Promise<{ default: ComponentType }>
  /** Texts that come with it; a test compares this with what the page says. */
  texts?: readonly Area[]
}

/** Every page, in the order of the navigation. Which comes first in a group is decided here and nowhere else. */
export const pages: Page[] = [
  {
    path: '/',
    title: 'overview.title',
    group: 'home',
    icon: OverviewIcon,
    go: 'o',
    load: () => import('./pages/overview/Overview'),
    texts: ['requests', 'revisions'],
  },
  {
    path: '/apis',
    title: 'apis.title',
    group: 'build',
    icon: RouteIcon,
    permission: 'apis:read',
    go: 'a',
    load: () => import('./pages/apis/List'),
  },
  {
    path: '/apis/new',
    title: 'titles.newApi',
    permission: 'apis:write',
    parent: '/apis',
    load: () => import('./pages/apis/create/Create'),
    texts: ['api', 'newApi'],
  },
  {
    path: '/apis/$id',
    title: 'titles.api',
    permission: 'apis:read',
    parent: '/apis',
    load: () => import('./pages/apis/Api'),
    texts: ['api', 'diff', 'fields', 'newApi', 'requests'],
  },
  {
    path: '/keys',
    title: 'titles.keys',
    group: 'build',
    icon: KeyIcon,
    permission: 'keys:read',
    go: 'k',
    load: () => import('./pages/keys/Keys'),
    texts: ['keys'],
  },
  {
    path: '/keys/new',
    title: 'titles.newKey',
    permission: 'keys:write',
    parent: '/keys',
    load: () => import('./pages/keys/NewKey'),
    texts: ['keys', 'requests'],
  },
  {
    path: '/keys/$id',
    title: 'titles.key',
    permission: 'keys:read',
    parent: '/keys',
    load: () => import('./pages/keys/Key'),
    texts: ['keys', 'requests'],
  },
  {
    path: '/requests',
    title: 'titles.requests',
    group: 'observe',
    icon: RequestsIcon,
    permission: 'requests:read',
    go: 'r',
    load: () => import('./pages/requests/Requests'),
    texts: ['requests'],
  },
  { path: '/requests/$id', title: 'titles.request', permission: 'requests:read', parent: '/requests' },
  {
    path: '/gateways',
    title: 'gateways.title',
    group: 'operate',
    icon: ServerIcon,
    permission: 'gateways:read',
    go: 'g',
    load: () => import('./pages/gateways/Gateways'),
  },
  {
    path: '/gateways/$id',
    title: 'gateways.one',
    permission: 'gateways:read',
    parent: '/gateways',
    load: () => import('./pages/gateways/Gateway'),
    texts: ['revisions'],
  },
  {
    path: '/revisions',
    title: 'titles.revisions',
    group: 'operate',
    icon: HistoryIcon,
    permission: 'revisions:read',
    go: 'v',
    load: () => import('./pages/revisions/Revisions'),
    texts: ['revisions'],
  },
  {
    path: '/revisions/$n',
    title: 'titles.revision',
    permission: 'revisions:read',
    parent: '/revisions',
    load: () => import('./pages/revisions/Revision'),
    texts: ['diff', 'fields', 'revisions'],
  },
  { path: '/me', title: 'me.title', load: () => import('./pages/me/Me') },
  // routes end
]
