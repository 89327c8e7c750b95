//go:build !linux

package serve

import "net"

// unsent returns -1: the number is unknown on this system.
func unsent(net.Conn) int { return -1 }
