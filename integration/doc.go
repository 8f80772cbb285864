// Package integration holds the scenes that real clients play, each the same for every client and every
// registry that it makes sense for. What they need is started by hallmark/integration/world.
//
// Tests named Stock prove the stage itself: they run against a stock registry without a proxy, so that a
// scene which fails through the proxy fails because of the proxy.
package integration
