/** The words of states: the same wherever a state is shown. */
export const state = {
  active: 'Live',
  applied: 'Live',
  behind: 'Behind',
  catchingUp: 'Catching up',
  current: 'Current',
  degraded: 'Degraded',
  disabled: 'Off',
  draining: 'Draining',
  expired: 'Expired',
  offline: 'Offline',
  pending: 'Waiting',
  rejected: 'Rejected',
  revoked: 'Revoked',
  suspended: 'Suspended',
  unknown: 'Unknown',
} as const
