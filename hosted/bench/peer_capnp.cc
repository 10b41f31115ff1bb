// SPDX-License-Identifier: MIT
//
// Remote calls of Cap'n Proto (its own C++ library) over a Unix socket: a round
// trip is a call, a stream is calls that it lets run ahead of their answers.
#include "bench.h"
#include "peer_capnp.capnp.h"

#include <capnp/rpc-twoparty.h>
#include <errno.h>
#include <kj/async-io.h>
#include <sys/socket.h>

namespace {

// What the server saw; `wanted` calls end the loop that waits. Calls that come
// while answers are still leaving count for the next loop.
struct Seen {
	uint64_t calls = 0, wanted = 0;
	bool wrong = false;
	size_t size = 0;
	kj::Own<kj::PromiseFulfiller<void>> done;

	void settle()
	{
		if (wanted == 0 || calls != wanted)
			return;
		calls = wanted = 0;
		done->fulfill();
	}

	void count()
	{
		calls++;
		settle();
	}

	void note(capnp::Data::Reader message)
	{
		wrong |= message.size() != size ||
		    !bench_has_number(message.begin(), calls);
		count();
	}
};

class Server final : public Bench::Server {
public:
	explicit Server(Seen &seen) : seen(seen) {}

	kj::Promise<void> echo(EchoContext context) override
	{
		auto message = context.getParams().getMessage();

		context.getResults().setMessage(message);
		seen.note(message);
		return kj::READY_NOW;
	}

	kj::Promise<void> push(PushContext context) override
	{
		seen.note(context.getParams().getMessage());
		return kj::READY_NOW;
	}

	kj::Promise<void> flush(FlushContext) override
	{
		seen.count();
		return kj::READY_NOW;
	}

private:
	Seen &seen;
};

struct End {
	explicit End(int fd) : io(kj::setupAsyncIo()),
		stream(io.lowLevelProvider->wrapSocketFd(fd)) {}

	kj::AsyncIoContext io;
	kj::Own<kj::AsyncIoStream> stream;
	Seen seen;			// server
	kj::Own<capnp::TwoPartyClient> link;
	capnp::Capability::Client root = nullptr;
};

int
prepare(struct bench_rig *rig)
{
	return socketpair(AF_UNIX, SOCK_STREAM, 0, rig->fd) < 0 ? errno : 0;
}

void *
open_end(struct bench_rig *rig, enum bench_side side)
{
	try {
		bool server = side == BENCH_SERVER;
		auto end = new End(rig->fd[server ? 1 : 0]);

		if (server) {
			end->link = kj::heap<capnp::TwoPartyClient>(
			    *end->stream, kj::heap<Server>(end->seen),
			    capnp::rpc::twoparty::Side::SERVER);
			return end;
		}
		end->link = kj::heap<capnp::TwoPartyClient>(*end->stream);
		end->root = end->link->bootstrap();
		return end;
	} catch (const kj::Exception &) {
		errno = EPROTO;
		return nullptr;
	}
}

capnp::Data::Reader
message_of(const struct bench_job *job, uint64_t number)
{
	bench_number(job->buffer, number);
	return capnp::Data::Reader(job->buffer, job->size);
}

bool
round_trip(void *state, const struct bench_job *job)
{
	auto end = static_cast<End *>(state);
	auto bench = end->root.castAs<Bench>();

	try {
		for (uint64_t i = 0; i < job->count; i++) {
			auto request = bench.echoRequest();

			request.setMessage(message_of(job, i));
			auto answer = request.send().wait(end->io.waitScope);
			auto message = answer.getMessage();
			if (message.size() != job->size ||
			    !bench_has_number(message.begin(), i))
				return false;
		}
		return true;
	} catch (const kj::Exception &) {
		return false;
	}
}

bool
send_all(void *state, const struct bench_job *job)
{
	auto end = static_cast<End *>(state);
	auto bench = end->root.castAs<Bench>();

	try {
		for (uint64_t i = 0; i < job->count; i++) {
			auto request = bench.pushRequest();

			request.setMessage(message_of(job, i));
			request.send().wait(end->io.waitScope);
		}
		bench.flushRequest().send().wait(end->io.waitScope);
		return true;
	} catch (const kj::Exception &) {
		return false;
	}
}

// Serves until `calls` came and all answers left.
bool
serve_calls(End *end, const struct bench_job *job, uint64_t calls)
{
	try {
		auto ready = kj::newPromiseAndFulfiller<void>();

		end->seen.size = job->size;
		end->seen.wanted = calls;
		end->seen.done = kj::mv(ready.fulfiller);
		end->seen.settle();
		ready.promise.wait(end->io.waitScope);
		end->io.waitScope.poll();
		return !end->seen.wrong;
	} catch (const kj::Exception &) {
		return false;
	}
}

bool
serve(void *state, const struct bench_job *job)
{
	return serve_calls(static_cast<End *>(state), job, job->count);
}

bool
receive(void *state, const struct bench_job *job)
{
	return serve_calls(static_cast<End *>(state), job, job->count + 1);
}

void
close_end(void *state)
{
	delete static_cast<End *>(state);
}

struct bench_peer
describe()
{
	struct bench_peer peer = {};

	peer.name = "capnp-rpc";
	peer.text = "Cap'n Proto C++ calls over a Unix socket";
	peer.flags = PEER_ROUND_TRIP | PEER_STREAM;
	peer.prepare = prepare;
	peer.open = open_end;
	peer.round_trip = round_trip;
	peer.serve = serve;
	peer.send = send_all;
	peer.receive = receive;
	peer.close = close_end;
	return peer;
}

}  // namespace

extern "C" const struct bench_peer peer_capnp = describe();
