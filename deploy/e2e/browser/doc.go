// Package browser clicks through the console in a real Chromium against the real dashboard and three
// gateways. The steps are web/browser/steps/*.mjs, since what they drive and what they read is a page;
// this package starts what they need and makes each of them a subtest.
package browser
