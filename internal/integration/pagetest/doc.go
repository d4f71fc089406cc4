// Package pagetest holds tests of the debug page in a browser.
package pagetest
