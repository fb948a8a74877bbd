export const overview = {
  gateways: 'Gateways that are current',
  title: 'Overview',
} as const
