// goredis: gin and go-redis v9; SET NX and INCR in one pipeline.
package main

import (
	"context"
	"errors"
	"os"
	"strconv"

	"github.com/redis/go-redis/v9"

	"verve/bench/peers/peer"
)

type store struct{ client *redis.Client }

// Accept counts before it knows whether the id is new, so that one round trip
// is enough for one that is; for the others it takes the number back.
func (s store) Accept(ctx context.Context, seenKey, countKey string) (int64, error) {
	pipe := s.client.Pipeline()
	seen := pipe.SetNX(ctx, seenKey, 1, peer.TTL)
	count := pipe.Incr(ctx, countKey)
	if _, err := pipe.Exec(ctx); err != nil && !errors.Is(err, redis.Nil) {
		return 0, err
	}
	if seen.Val() {
		return count.Val(), nil
	}
	return s.client.Decr(ctx, countKey).Result()
}

func (s store) Push(ctx context.Context, job []byte) error {
	return s.client.RPush(ctx, peer.QueueKey, job).Err()
}

func poolSize() int {
	if size, err := strconv.Atoi(os.Getenv("POOL")); err == nil {
		return size
	}
	return 16
}

func main() {
	peer.Serve(store{redis.NewClient(&redis.Options{
		Network:         "unix",
		Addr:            peer.SocketPath(),
		Protocol:        2,
		PoolSize:        poolSize(),
		MinIdleConns:    poolSize(),
		DisableIdentity: true,
		MaxRetries:      -1,
		ReadTimeout:     peer.Timeout,
		WriteTimeout:    peer.Timeout,
	})})
}
