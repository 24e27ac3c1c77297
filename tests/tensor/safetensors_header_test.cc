#include "core/tensor/safetensors_header.h"

#include <fmt/format.h>

#include <cstdint>
#include <string>

#include "tests/support/status_matchers.h"

namespace modelpatch::tensor {
namespace {

using ::modelpatch::testing::FailsWith;
using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::Pair;
using ::testing::SizeIs;

constexpr auto kInvalid = absl::StatusCode::kInvalidArgument;

std::string LengthBytes(uint64_t length) {
  std::string bytes;
  for (int i = 0; i < 8; ++i) bytes += static_cast<char>(length >> (8 * i));
  return bytes;
}

// A file with this header and `data_size` zero bytes.
std::string FileWith(const std::string& json, size_t data_size) {
  return LengthBytes(json.size()) + json + std::string(data_size, '\0');
}

std::string Tensor(const std::string& dtype, const std::string& shape, uint64_t begin, uint64_t end) {
  return fmt::format(R"({{"dtype":"{}","shape":{},"data_offsets":[{},{}]}})", dtype, shape, begin, end);
}

std::string OneTensorFile(const std::string& dtype, const std::string& shape, uint64_t begin, uint64_t end,
                          size_t data_size) {
  return FileWith(R"({"w":)" + Tensor(dtype, shape, begin, end) + "}", data_size);
}

TEST(SafetensorsHeaderTest, ReadsTensorsInFileOrderAndMetadata) {
  const std::string json = R"({"__metadata__":{"format":"pt"},"b":)" + Tensor("F16", "[2,3]", 4, 16) + R"(,"a":)" +
                           Tensor("F32", "[]", 0, 4) + "}   ";
  ASSERT_OK_AND_ASSIGN(const SafetensorsHeader header, ParseSafetensorsHeader(FileWith(json, 12 + 4)));
  ASSERT_THAT(header.tensors, SizeIs(2));
  EXPECT_EQ(header.tensors[0].name, "a");
  EXPECT_THAT(header.tensors[0].shape, IsEmpty());
  EXPECT_EQ(header.tensors[0].numel(), 1);
  EXPECT_EQ(header.tensors[1].name, "b");
  EXPECT_EQ(header.tensors[1].dtype, DType::kFloat16);
  EXPECT_THAT(header.tensors[1].shape, ElementsAre(2, 3));
  EXPECT_EQ(header.tensors[1].begin, 4u);
  EXPECT_EQ(header.tensors[1].end, 16u);
  EXPECT_THAT(header.metadata, ElementsAre(Pair("format", "pt")));
  EXPECT_EQ(header.data_offset, 8 + json.size());
  EXPECT_EQ(header.Find("b"), &header.tensors[1]);
  EXPECT_EQ(header.Find("c"), nullptr);
}

TEST(SafetensorsHeaderTest, FindsEveryTensorWhateverItsPlaceInTheFile) {
  std::vector<TensorInfo> tensors;
  for (uint64_t i = 0; i < 100; ++i) {
    tensors.push_back({.name = fmt::format("tensor {}", i * 37 % 100), .dtype = DType::kUInt8, .shape = {1}});
    tensors.back().begin = i;
    tensors.back().end = i + 1;
  }
  ASSERT_OK_AND_ASSIGN(SafetensorsHeader header,
                       ParseSafetensorsHeader(SerializeSafetensorsHeader(tensors, {}) + std::string(100, '\0')));
  const SafetensorsHeader copy = header;
  for (const TensorInfo& tensor : tensors) {
    ASSERT_NE(copy.Find(tensor.name), nullptr) << tensor.name;
    EXPECT_EQ(copy.Find(tensor.name)->begin, tensor.begin);
  }
  for (const char* name : {"", "tensor", "tensor 1000", "tensor 5x", "zebra"}) EXPECT_EQ(copy.Find(name), nullptr);
  EXPECT_EQ(SafetensorsHeader().Find("tensor 1"), nullptr);
}

TEST(SafetensorsHeaderTest, TheBeginningOfAFileIsEnough) {
  const std::string file = OneTensorFile("F32", "[2]", 0, 8, 8);
  ASSERT_OK_AND_ASSIGN(const uint64_t prefix, SafetensorsPrefixBytes(file.substr(0, 8), file.size()));
  EXPECT_EQ(prefix, file.size() - 8);
  const std::string beginning = file.substr(0, prefix);
  ASSERT_OK_AND_ASSIGN(const SafetensorsHeader header, ParseSafetensorsHeader(beginning, file.size()));
  EXPECT_EQ(header.data_offset, prefix);
  EXPECT_NE(header.Find("w"), nullptr);
  EXPECT_THAT(ParseSafetensorsHeader(beginning, file.size() - 1), FailsWith(kInvalid, "SAFETENSORS_TRUNCATED"));
  EXPECT_THAT(ParseSafetensorsHeader(beginning, uint64_t{1} << 40), FailsWith(kInvalid, "SAFETENSORS_BAD_OFFSETS"));
  EXPECT_THAT(ParseSafetensorsHeader(beginning.substr(0, prefix - 1), file.size()),
              FailsWith(kInvalid, "SAFETENSORS_TRUNCATED"));
  EXPECT_THAT(SafetensorsPrefixBytes(file.substr(0, 7), file.size()), FailsWith(kInvalid, "SAFETENSORS_TRUNCATED"));
  EXPECT_THAT(SafetensorsPrefixBytes(file.substr(0, 8), 9), FailsWith(kInvalid, "SAFETENSORS_TRUNCATED"));
}

TEST(SafetensorsHeaderTest, AcceptsAnEmptyFileOfTensorsAndEmptyTensors) {
  EXPECT_OK(ParseSafetensorsHeader(FileWith("{}", 0)));
  EXPECT_OK(ParseSafetensorsHeader(FileWith(R"({"__metadata__":null})", 0)));
  const std::string json = R"({"z":)" + Tensor("F32", "[0,7]", 4, 4) + R"(,"y":)" + Tensor("I8", "[4]", 0, 4) +
                           R"(,"x":)" + Tensor("F32", "[0]", 0, 0) + R"(,"w":)" + Tensor("BOOL", "[1]", 4, 5) + "}";
  ASSERT_OK_AND_ASSIGN(const SafetensorsHeader header, ParseSafetensorsHeader(FileWith(json, 5)));
  EXPECT_EQ(header.Find("z")->numel(), 0);
}

TEST(SafetensorsHeaderTest, SkipsUnknownFieldsOfATensorHoweverDeep) {
  const std::string json =
      R"({"w":{"x":{"dtype":[[{"shape":1}],null]},"dtype":"U8","y":[],"shape":[1],"z":-1.5,"data_offsets":[0,1],"v":"s"}})";
  ASSERT_OK_AND_ASSIGN(const SafetensorsHeader header, ParseSafetensorsHeader(FileWith(json, 1)));
  EXPECT_THAT(header.tensors[0].shape, ElementsAre(1));
}

TEST(SafetensorsHeaderTest, RefusesLyingLengths) {
  EXPECT_THAT(ParseSafetensorsHeader(""), FailsWith(kInvalid, "SAFETENSORS_TRUNCATED"));
  EXPECT_THAT(ParseSafetensorsHeader(std::string(7, '\0')), FailsWith(kInvalid, "SAFETENSORS_TRUNCATED"));
  EXPECT_THAT(ParseSafetensorsHeader(LengthBytes(uint64_t{1} << 63) + "{}"),
              FailsWith(kInvalid, "SAFETENSORS_HEADER_TOO_LARGE"));
  EXPECT_THAT(ParseSafetensorsHeader(LengthBytes(UINT64_MAX) + "{}"),
              FailsWith(kInvalid, "SAFETENSORS_HEADER_TOO_LARGE"));
  EXPECT_THAT(ParseSafetensorsHeader(LengthBytes(100'000'001) + "{}"),
              FailsWith(kInvalid, "SAFETENSORS_HEADER_TOO_LARGE"));
  EXPECT_THAT(ParseSafetensorsHeader(LengthBytes(3) + "{}"), FailsWith(kInvalid, "SAFETENSORS_TRUNCATED"));
  EXPECT_THAT(ParseSafetensorsHeader(LengthBytes(0)), FailsWith(kInvalid, "SAFETENSORS_BAD_HEADER"));
}

TEST(SafetensorsHeaderTest, RefusesAnythingButTheFormatsJson) {
  const std::string tensor = Tensor("U8", "[1]", 0, 1);
  for (const std::string& json : {
           std::string("[]"),
           std::string("7"),
           std::string(" {}"),
           std::string("{"),
           std::string("{}x"),
           std::string("{}\0", 3),
           std::string("{\"\xff\":1}"),
           std::string(R"({"w":1})"),
           std::string(R"({"w":null})"),
           std::string(R"({"w":[]})"),
           std::string(R"({"w":{}})"),
           R"({"w":)" + tensor + R"(,"w":)" + tensor + "}",
           std::string(R"({"w":{"dtype":"U8","dtype":"U8","shape":[1],"data_offsets":[0,1]}})"),
           std::string(R"({"w":{"dtype":"U8","shape":[1]}})"),
           std::string(R"({"w":{"dtype":"U8","data_offsets":[0,1]}})"),
           std::string(R"({"w":{"shape":[1],"data_offsets":[0,1]}})"),
           std::string(R"({"w":{"dtype":8,"shape":[1],"data_offsets":[0,1]}})"),
           std::string(R"({"w":{"dtype":"U8","shape":1,"data_offsets":[0,1]}})"),
           std::string(R"({"w":{"dtype":"U8","shape":[1.0],"data_offsets":[0,1]}})"),
           std::string(R"({"w":{"dtype":"U8","shape":[[1]],"data_offsets":[0,1]}})"),
           std::string(R"({"w":{"dtype":"U8","shape":[1],"data_offsets":[0]}})"),
           std::string(R"({"w":{"dtype":"U8","shape":[1],"data_offsets":[0,1,2]}})"),
           std::string(R"({"w":{"dtype":"U8","shape":[1],"data_offsets":[0,-1]}})"),
           std::string(R"({"w":{"dtype":"U8","shape":[1],"data_offsets":[0,1e0]}})"),
           std::string(R"({"__metadata__":1})"),
           std::string(R"({"__metadata__":{"a":1}})"),
           std::string(R"({"__metadata__":{"a":"1","a":"2"}})"),
           std::string(R"({"__metadata__":{},"__metadata__":{}})"),
           std::string(100'000, '['),
           R"({"w":)" + std::string(100'000, '['),
       }) {
    EXPECT_THAT(ParseSafetensorsHeader(FileWith(json, 1)), FailsWith(kInvalid, "SAFETENSORS_BAD_HEADER"))
        << json.substr(0, 100);
  }
}

TEST(SafetensorsHeaderTest, RefusesUnknownDTypes) {
  EXPECT_THAT(ParseSafetensorsHeader(OneTensorFile("F8_E4M3", "[1]", 0, 1, 1)),
              FailsWith(kInvalid, "SAFETENSORS_UNKNOWN_DTYPE"));
  EXPECT_THAT(ParseSafetensorsHeader(OneTensorFile("f32", "[1]", 0, 4, 4)),
              FailsWith(kInvalid, "SAFETENSORS_UNKNOWN_DTYPE"));
}

TEST(SafetensorsHeaderTest, RefusesNegativeAndOverflowingShapes) {
  for (const char* shape : {"[-1]", "[9223372036854775808]", "[4294967296,4294967296]", "[4294967296,4294967296,0]",
                            "[2305843009213693952]", "[3037000500,3037000500]"}) {
    EXPECT_THAT(ParseSafetensorsHeader(OneTensorFile("F64", shape, 0, 8, 8)),
                FailsWith(kInvalid, "SAFETENSORS_BAD_SHAPE"))
        << shape;
  }
}

TEST(SafetensorsHeaderTest, RefusesOffsetsThatDoNotFit) {
  const auto bad = FailsWith(kInvalid, "SAFETENSORS_BAD_OFFSETS");
  EXPECT_THAT(ParseSafetensorsHeader(OneTensorFile("F32", "[1]", 0, 5, 5)), bad) << "larger than its shape";
  EXPECT_THAT(ParseSafetensorsHeader(OneTensorFile("F32", "[2]", 0, 4, 4)), bad) << "smaller than its shape";
  EXPECT_THAT(ParseSafetensorsHeader(OneTensorFile("F32", "[1]", 4, 0, 4)), bad) << "ends before it begins";
  EXPECT_THAT(ParseSafetensorsHeader(OneTensorFile("F32", "[1]", 4, 8, 8)), bad) << "hole at the start";
  EXPECT_THAT(ParseSafetensorsHeader(OneTensorFile("F32", "[1]", 0, 4, 5)), bad) << "bytes after the last";
  EXPECT_THAT(ParseSafetensorsHeader(OneTensorFile("F32", "[1]", 0, 4, 3)),
              FailsWith(kInvalid, "SAFETENSORS_TRUNCATED"));
  EXPECT_THAT(ParseSafetensorsHeader(OneTensorFile("F32", "[1]", UINT64_MAX - 3, UINT64_MAX, 4)), bad);
  const auto two = [](uint64_t begin, uint64_t end) {
    return FileWith(R"({"a":)" + Tensor("U8", "[4]", 0, 4) + R"(,"b":)" + Tensor("U8", "[4]", begin, end) + "}", 8);
  };
  EXPECT_OK(ParseSafetensorsHeader(two(4, 8)));
  EXPECT_THAT(ParseSafetensorsHeader(two(3, 7)), bad) << "overlap";
  EXPECT_THAT(ParseSafetensorsHeader(two(5, 9)), bad) << "hole";
  EXPECT_THAT(ParseSafetensorsHeader(two(0, 4)), bad) << "the same bytes twice";
}

TEST(SafetensorsHeaderTest, WritesWhatItReads) {
  const std::vector<TensorInfo> tensors = {
      {.name = "second \"quoted\" ü", .dtype = DType::kBFloat16, .shape = {3, 1}, .begin = 8, .end = 14},
      {.name = "first", .dtype = DType::kInt64, .shape = {}, .begin = 0, .end = 8},
  };
  const std::string bytes = SerializeSafetensorsHeader(tensors, {{"format", "pt"}, {"key", "value"}});
  EXPECT_EQ(bytes.size() % 8, 0u);
  ASSERT_OK_AND_ASSIGN(const SafetensorsHeader header, ParseSafetensorsHeader(bytes + "fourteen bytes"));
  EXPECT_EQ(header.data_offset, bytes.size());
  ASSERT_THAT(header.tensors, SizeIs(2));
  EXPECT_EQ(header.tensors[0].name, "first");
  EXPECT_EQ(header.tensors[1].name, tensors[0].name);
  EXPECT_EQ(header.tensors[1].dtype, DType::kBFloat16);
  EXPECT_EQ(header.tensors[1].shape, tensors[0].shape);
  EXPECT_THAT(header.metadata, ElementsAre(Pair("format", "pt"), Pair("key", "value")));
}

TEST(SafetensorsHeaderTest, KnowsEveryDType) {
  uint64_t size = 0;
  for (const DType dtype : {DType::kFloat64, DType::kFloat32, DType::kFloat16, DType::kBFloat16, DType::kInt64,
                            DType::kInt32, DType::kInt16, DType::kInt8, DType::kUInt8, DType::kBool}) {
    const auto bytes = static_cast<uint64_t>(SizeOf(dtype));
    ASSERT_OK_AND_ASSIGN(
        const SafetensorsHeader header,
        ParseSafetensorsHeader(OneTensorFile(std::string(NameOf(dtype)), "[3]", 0, 3 * bytes, 3 * bytes)));
    EXPECT_EQ(header.tensors[0].dtype, dtype);
    size += bytes;
  }
  EXPECT_EQ(size, 8u + 4 + 2 + 2 + 8 + 4 + 2 + 1 + 1 + 1);
}

TEST(SafetensorsHeaderTest, EveryCutOfAFileIsRefused) {
  const std::string file = OneTensorFile("F32", "[2]", 0, 8, 8);
  for (size_t size = 0; size < file.size(); ++size) {
    EXPECT_FALSE(ParseSafetensorsHeader(std::string_view(file).substr(0, size)).ok()) << size;
  }
}

}  // namespace
}  // namespace modelpatch::tensor
