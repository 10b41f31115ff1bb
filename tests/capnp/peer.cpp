// SPDX-License-Identifier: MIT
//
// The reference implementation as the other side of exchange_test.c, with the
// same modes. Its random messages are made by the schema alone.

#include <capnp/any.h>
#include <capnp/dynamic.h>
#include <capnp/message.h>
#include <capnp/schema-parser.h>
#include <capnp/serialize-packed.h>
#include <capnp/serialize.h>
#include <kj/filesystem.h>
#include <kj/io.h>
#include <kj/std/iostream.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <random>
#include <string>

namespace {

using capnp::DynamicList;
using capnp::DynamicStruct;
using capnp::DynamicValue;
namespace type = capnp::schema;

constexpr unsigned DEPTH = 2;

class Maker {
public:
	explicit Maker(uint64_t seed) : random(seed), density(below(8)) {}

	unsigned below(unsigned limit) { return random() % limit; }

	void fill(DynamicStruct::Builder to, unsigned depth) {
		for (auto field : to.getSchema().getNonUnionFields())
			fillField(to, field, depth);
		auto members = to.getSchema().getUnionFields();
		if (members.size() > 0)
			fillField(to, members[below(members.size())], depth,
			    true);
	}

private:
	std::mt19937_64 random;
	unsigned density;

	void fillField(DynamicStruct::Builder to,
	    capnp::StructSchema::Field field, unsigned depth,
	    bool always = false) {
		if (field.getProto().isGroup()) {
			fill(to.init(field).as<DynamicStruct>(), depth);
			return;
		}
		if (!always && below(8) >= density)
			return;
		auto type = field.getType();
		switch (type.which()) {
		case type::Type::STRUCT:
			if (depth > 0 || always)
				fill(to.init(field).as<DynamicStruct>(),
				    depth > 0 ? depth - 1 : 0);
			break;
		case type::Type::LIST:
			if (depth > 0 || always)
				fillList(to.init(field, size(type)).as<
				    DynamicList>(), depth > 0 ? depth - 1 : 0);
			break;
		case type::Type::ANY_POINTER:
			fillAny(to.init(field).as<capnp::AnyPointer>());
			break;
		default:
			set(type, [&](DynamicValue::Reader value) {
				to.set(field, value);
			});
		}
	}

	unsigned size(capnp::Type list) {
		auto element = list.asList().getElementType();
		return below(element.isStruct() || element.isList() ||
		    element.isText() || element.isData() ? 4 : 20);
	}

	void fillList(DynamicList::Builder to, unsigned depth) {
		auto type = to.getSchema().getElementType();
		for (unsigned i = 0; i < to.size(); i++) {
			if (type.isStruct())
				fill(to[i].as<DynamicStruct>(), depth);
			else if (type.isList())
				fillList(to.init(i, size(type)).as<
				    DynamicList>(), depth);
			else if (below(8) != 0)
				set(type, [&](DynamicValue::Reader value) {
					to.set(i, value);
				});
		}
	}

	void fillAny(capnp::AnyPointer::Builder to) {
		if (below(2) == 0)
			to.setAs<capnp::Text>("anything");
		else
			to.initAs<capnp::List<uint32_t>>(below(9));
	}

	// NaN bits survive only as bits: floats are made of them.
	template <typename To, typename From>
	static To bits(From from) {
		To to;
		std::memcpy(&to, &from, sizeof(to));
		return to;
	}

	template <typename Set>
	void set(capnp::Type type, Set &&put) {
		switch (type.which()) {
		case type::Type::VOID: put(capnp::VOID); break;
		case type::Type::BOOL: put(below(2) == 0); break;
		case type::Type::INT8: put((int8_t)random()); break;
		case type::Type::INT16: put((int16_t)random()); break;
		case type::Type::INT32: put((int32_t)random()); break;
		case type::Type::INT64: put((int64_t)random()); break;
		case type::Type::UINT8: put((uint8_t)random()); break;
		case type::Type::UINT16: put((uint16_t)random()); break;
		case type::Type::UINT32: put((uint32_t)random()); break;
		case type::Type::UINT64: put((uint64_t)random()); break;
		case type::Type::FLOAT32:
			put(bits<float>((uint32_t)random()));
			break;
		case type::Type::FLOAT64:
			put(bits<double>((uint64_t)random()));
			break;
		case type::Type::ENUM: {
			auto names = type.asEnum().getEnumerants();
			put(capnp::DynamicEnum(names[below(names.size())]));
			break;
		}
		case type::Type::TEXT: {
			std::string text(below(20), ' ');
			for (char &c : text)
				c = (char)(1 + below(126));
			put(capnp::Text::Reader(text.c_str(), text.size()));
			break;
		}
		case type::Type::DATA: {
			capnp::byte data[20];
			for (auto &byte : data)
				byte = (capnp::byte)random();
			put(capnp::Data::Reader(data, below(20)));
			break;
		}
		default:
			KJ_FAIL_REQUIRE("no such type in this schema");
		}
	}
};

kj::Array<kj::ArrayPtr<const capnp::word>>
segments(capnp::MessageReader &reader)
{
	kj::Vector<kj::ArrayPtr<const capnp::word>> all;
	for (unsigned i = 0; reader.getSegment(i) != nullptr; i++)
		all.add(reader.getSegment(i));
	return all.releaseAsArray();
}

class Exchange {
public:
	Exchange() : rawIn(STDIN_FILENO), rawOut(STDOUT_FILENO), in(rawIn),
	    out(rawOut) {}

	void make(const char *path, uint64_t seed, uint64_t count) {
		static const unsigned sizes[] = { 1, 4, 16, 64, 1024 };
		capnp::SchemaParser parser;
		auto disk = kj::newDiskFilesystem();
		auto file = parser.parseFromDirectory(disk->getRoot(),
		    disk->getCurrentPath().evalNative(path).clone(), nullptr);
		auto schema = file.getNested("Everything").asStruct();
		for (uint64_t i = 0; i < count; i++) {
			Maker maker(seed + i);
			capnp::MallocMessageBuilder message(
			    sizes[maker.below(5)],
			    capnp::AllocationStrategy::FIXED_SIZE);
			maker.fill(message.initRoot<DynamicStruct>(schema),
			    DEPTH);
			capnp::writeMessage(out, message);
		}
	}

	void rewrite() {
		while (in.tryGetReadBuffer() != nullptr) {
			capnp::InputStreamMessageReader reader(in);
			capnp::MallocMessageBuilder message;
			message.setRoot(reader.getRoot<capnp::AnyPointer>());
			capnp::writeMessage(out, message);
		}
	}

	void canonical() {
		while (in.tryGetReadBuffer() != nullptr) {
			capnp::InputStreamMessageReader reader(in);
			auto words = reader.getRoot<capnp::AnyStruct>()
			    .canonicalize();
			kj::ArrayPtr<const capnp::word> only[] = { words };
			capnp::writeMessage(out, kj::arrayPtr(only, 1));
		}
	}

	// An error is an exception, wherever in the message it is.
	void survive() {
		while (in.tryGetReadBuffer() != nullptr) {
			capnp::InputStreamMessageReader reader(in);
			kj::Array<capnp::word> words;
			auto error = kj::runCatchingExceptions([&]() {
				words = reader.getRoot<capnp::AnyStruct>()
				    .canonicalize();
			});
			const uint64_t none = 0;
			kj::ArrayPtr<const capnp::word> only[] = { words };
			if (error != nullptr)
				out.write(&none, sizeof(none));
			else
				capnp::writeMessage(out,
				    kj::arrayPtr(only, 1));
		}
	}

	void judge() {
		while (in.tryGetReadBuffer() != nullptr) {
			capnp::InputStreamMessageReader reader(in);
			uint64_t is = reader.isCanonical();
			out.write(&is, sizeof(is));
		}
	}

	void pack() {
		while (in.tryGetReadBuffer() != nullptr) {
			capnp::InputStreamMessageReader reader(in);
			capnp::writePackedMessage(out, segments(reader));
		}
	}

	void unpack() {
		while (in.tryGetReadBuffer() != nullptr) {
			capnp::PackedMessageReader reader(in);
			capnp::writeMessage(out, segments(reader));
		}
	}

private:
	kj::FdInputStream rawIn;
	kj::FdOutputStream rawOut;

public:
	kj::BufferedInputStreamWrapper in;
	kj::BufferedOutputStreamWrapper out;
};

} // namespace

int
main(int argc, char **argv)
{
	std::string mode = argc > 1 ? argv[1] : "";
	Exchange exchange;

	if (mode == "make" && argc == 5)
		exchange.make(argv[4], strtoull(argv[2], nullptr, 0),
		    strtoull(argv[3], nullptr, 0));
	else if (mode == "rewrite")
		exchange.rewrite();
	else if (mode == "canonical")
		exchange.canonical();
	else if (mode == "survive")
		exchange.survive();
	else if (mode == "judge")
		exchange.judge();
	else if (mode == "pack")
		exchange.pack();
	else if (mode == "unpack")
		exchange.unpack();
	else
		return 2;
	exchange.out.flush();
	return 0;
}
