#include "server/services/classify_message.h"

#include <google/protobuf/io/coded_stream.h>
#include <grpcpp/support/proto_buffer_reader.h>

#include <cstdint>
#include <optional>
#include <utility>

#include "server/services/raw_message.h"
#include "server/status_conversion.h"

namespace modelpatch::server {
namespace {

using google::protobuf::io::CodedInputStream;

// Of protobuf's encoding: a tag is a field's number over three bits that say how its value is written.
enum WireType : uint32_t { kVarint = 0, kFixed64 = 1, kLengthDelimited = 2, kFixed32 = 5 };
constexpr int kWireTypeBits = 3;
constexpr uint32_t kWireTypeMask = (1U << kWireTypeBits) - 1;
constexpr uint32_t kClassPromptsTag =
    (uint32_t{v1::ClassifyRequest::kClassPromptsFieldNumber} << kWireTypeBits) | kLengthDelimited;

bool SkipValue(CodedInputStream& input, uint32_t wire_type) {
  uint64_t number = 0;
  int length = 0;
  switch (wire_type) {
    case kVarint:
      return input.ReadVarint64(&number);
    case kFixed64:
      return input.Skip(sizeof(uint64_t));
    case kLengthDelimited:
      return input.ReadVarintSizeAsInt(&length) && input.Skip(length);
    case kFixed32:
      return input.Skip(sizeof(uint32_t));
    default:
      return false;
  }
}

// Where a field lies in a message: its tag, its value, and what comes behind.
struct Place {
  int tag = 0;
  int value = 0;
  int end = 0;
};

// The place of the class prompts if they are there once and the message is made of plain fields, as all that our
// clients send. Nothing is decided for other messages.
std::optional<Place> FindClassPrompts(grpc::ByteBuffer* bytes) {
  grpc::ProtoBufferReader reader(bytes);
  if (!reader.status().ok()) return std::nullopt;
  CodedInputStream input(&reader);
  std::optional<Place> found;
  for (;;) {
    Place place{.tag = input.CurrentPosition()};
    const uint32_t tag = input.ReadTag();
    if (tag == 0) return input.ConsumedEntireMessage() ? found : std::nullopt;
    if (tag != kClassPromptsTag) {
      if (!SkipValue(input, tag & kWireTypeMask)) return std::nullopt;
      continue;
    }
    int length = 0;
    if (found.has_value() || !input.ReadVarintSizeAsInt(&length)) return std::nullopt;
    place.value = input.CurrentPosition();
    if (!input.Skip(length)) return std::nullopt;
    place.end = input.CurrentPosition();
    found = place;
  }
}

// Reads what lies before, at and behind the place.
bool ParseAround(const Place& place, grpc::ByteBuffer* bytes, ClassifyMessage* message) {
  const auto size = static_cast<int>(bytes->Length());
  grpc::ProtoBufferReader reader(bytes);
  if (!message->request.ParseFromBoundedZeroCopyStream(&reader, place.tag)) return false;
  {
    // Gives back what it has read ahead when it goes.
    CodedInputStream input(&reader);
    if (!input.Skip(place.value - place.tag)) return false;
    if (!input.ReadString(&message->class_prompts, place.end - place.value)) return false;
  }
  return message->request.MergeFromBoundedZeroCopyStream(&reader, size - place.end);
}

}  // namespace

absl::StatusOr<ClassifyMessage> ParseClassify(grpc::ByteBuffer bytes) {
  ClassifyMessage message;
  if (const std::optional<Place> place = FindClassPrompts(&bytes); place.has_value()) {
    if (!ParseAround(*place, &bytes, &message)) return MalformedRequest();
    return message;
  }
  MP_ASSIGN_OR_RETURN(message.request, ParseMessage<v1::ClassifyRequest>(bytes));
  message.class_prompts = message.request.class_prompts().SerializeAsString();
  message.request.clear_class_prompts();
  return message;
}

}  // namespace modelpatch::server
