// Package redistest tests package rediscred, and rotate's rotator for Redis, on
// real servers, through the clients that services use.
package redistest
