package gitserver

import (
	"net"
	"syscall"

	"golang.org/x/sys/unix"
)

// quickAck returns what makes the kernel acknowledge at once what has arrived on
// a TCP connection; on another it does nothing.
//
// An SSH client sends small packets, the next one only when the last one is
// acknowledged, while the kernel holds an acknowledgement back for 40 ms in the
// hope of an answer to send it with. So a login stood still twice. The kernel
// forgets the wish, therefore it is repeated before each read.
func quickAck(conn net.Conn) func() {
	tcp, ok := conn.(*net.TCPConn)
	if !ok {
		return func() {}
	}
	raw, err := tcp.SyscallConn()
	if err != nil {
		return func() {}
	}
	return func() { _ = raw.Control(acknowledge) } // without it all is as right, only later
}

func acknowledge(fd uintptr) {
	_ = unix.SetsockoptInt(int(fd), syscall.IPPROTO_TCP, unix.TCP_QUICKACK, 1)
}
