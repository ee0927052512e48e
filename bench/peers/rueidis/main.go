// rueidis: gin and rueidis, which puts the commands of all requests that are
// under way into one pipeline by itself.
package main

import (
	"context"
	"crypto/tls"
	"net"

	"github.com/redis/rueidis"

	"verve/bench/peers/peer"
)

type store struct{ client rueidis.Client }

// Accept counts before it knows whether the id is new, as goredis does.
func (s store) Accept(ctx context.Context, seenKey, countKey string) (int64, error) {
	replies := s.client.DoMulti(ctx,
		s.client.B().Set().Key(seenKey).Value("1").Nx().Ex(peer.TTL).Build(),
		s.client.B().Incr().Key(countKey).Build())
	err := replies[0].Error()
	if err == nil {
		return replies[1].AsInt64()
	}
	if !rueidis.IsRedisNil(err) {
		return 0, err
	}
	return s.client.Do(ctx, s.client.B().Decr().Key(countKey).Build()).AsInt64()
}

func (s store) Push(ctx context.Context, job []byte) error {
	return s.client.Do(ctx, s.client.B().Rpush().Key(peer.QueueKey).
		Element(rueidis.BinaryString(job)).Build()).Error()
}

// dial goes to a unix socket, which has no TLS.
func dial(ctx context.Context, path string, dialer *net.Dialer,
	_ *tls.Config) (net.Conn, error) {
	return dialer.DialContext(ctx, "unix", path)
}

func main() {
	client, err := rueidis.NewClient(rueidis.ClientOption{
		InitAddress:      []string{peer.SocketPath()},
		DisableCache:     true,
		DisableRetry:     true,
		ConnWriteTimeout: peer.Timeout,
		DialCtxFn:        dial,
	})
	if err != nil {
		peer.Die(err)
	}
	peer.Serve(store{client})
}
