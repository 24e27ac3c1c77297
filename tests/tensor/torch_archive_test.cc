#include "core/tensor/torch_archive.h"

#include <string>

#include "core/tensor/state_dict_pickle.h"
#include "core/tensor/zip_archive.h"
#include "tests/support/status_matchers.h"
#include "tests/support/torch_archive_writer.h"

namespace modelpatch::tensor {
namespace {

using ::modelpatch::testing::FailsWith;
using ::modelpatch::testing::SaveStateDict;
using ::modelpatch::testing::StoredZip;
using ::modelpatch::testing::TensorToSave;

constexpr auto kInvalid = absl::StatusCode::kInvalidArgument;

TensorToSave Matrix(const std::string& name) {
  return {name, "FloatStorage", std::string(24, 'x'), 6, 0, {2, 3}, {3, 1}};
}

absl::Status StatusOf(const TensorToSave& tensor) { return ParseTorchArchive(SaveStateDict({tensor})).status(); }

TEST(TorchArchiveTest, FindsEveryTensorInTheFile) {
  TensorToSave transposed = Matrix("b.weight");
  transposed.strides = {1, 2};
  TensorToSave scalar{"c", "LongStorage", std::string("\x07\0\0\0\0\0\0\0", 8), 1, 0, {}, {}};
  TensorToSave part{"d", "HalfStorage", "aabbccddee", 5, 2, {2}, {1}};
  const std::string file = SaveStateDict({Matrix("a.weight"), transposed, scalar, part});
  ASSERT_OK_AND_ASSIGN(const std::vector<ArchivedTensor> tensors, ParseTorchArchive(file));
  ASSERT_EQ(tensors.size(), 4u);
  EXPECT_EQ(tensors[0].info.name, "a.weight");
  EXPECT_EQ(tensors[0].info.shape, (std::vector<int64_t>{2, 3}));
  EXPECT_TRUE(tensors[0].strides.empty());
  EXPECT_EQ(file.substr(tensors[0].info.begin, tensors[0].info.end - tensors[0].info.begin), std::string(24, 'x'));
  EXPECT_EQ(tensors[1].strides, (std::vector<int64_t>{1, 2}));
  EXPECT_EQ(tensors[2].info.dtype, DType::kInt64);
  EXPECT_EQ(file[tensors[2].info.begin], 7);
  EXPECT_EQ(file.substr(tensors[3].info.begin, tensors[3].info.end - tensors[3].info.begin), "ccdd");
}

TEST(TorchArchiveTest, AModuleThatWasSavedWholeHasTheNamesOfItsStateDict) {
  const testing::ModuleToSave inner{"torch.nn.modules.linear\nLinear", {Matrix("weight")}, {}};
  const testing::ModuleToSave visual{"clip.model\nVisionTransformer", {Matrix("proj")}, {{"mlp", inner}}};
  const testing::ModuleToSave encoder{
      "src.modeling\nImageEncoder", {}, {{"visual", visual}, {"ln", {"torch.nn.modules.normalization\nLayerNorm"}}}};
  const std::string file = testing::SaveModule(encoder);
  ASSERT_OK_AND_ASSIGN(const std::vector<ArchivedTensor> tensors, ParseTorchArchive(file));
  ASSERT_EQ(tensors.size(), 2u);
  EXPECT_EQ(tensors[0].info.name, "visual.proj");
  EXPECT_EQ(tensors[1].info.name, "visual.mlp.weight");
  EXPECT_EQ(file.substr(tensors[1].info.begin, 24), std::string(24, 'x'));
}

TEST(TorchArchiveTest, AModuleOfAnUnknownClassIsRefusedByName) {
  const absl::Status status = ParseTorchArchive(testing::SaveModule({"os\nsystem", {Matrix("weight")}, {}})).status();
  EXPECT_THAT(status, FailsWith(kInvalid, "PICKLE_GLOBAL_REFUSED"));
  EXPECT_NE(std::string(status.message()).find("os.system"), std::string::npos) << status.message();
}

TEST(TorchArchiveTest, ModulesInsideEachOtherWithoutEndAreRefused) {
  testing::ModuleToSave module{"torch.nn.modules.module\nModule", {Matrix("weight")}, {}};
  for (int i = 0; i < 100; ++i) module = {"torch.nn.modules.module\nModule", {}, {{"inner", module}}};
  EXPECT_THAT(ParseTorchArchive(testing::SaveModule(module)).status(), FailsWith(kInvalid, "PICKLE_CORRUPT"));
}

TEST(TorchArchiveTest, ATensorBeyondItsStorageIsRefused) {
  for (const auto& change : std::vector<void (*)(TensorToSave&)>{
           [](TensorToSave& tensor) {
             tensor.shape = {3, 3};
           },
           [](TensorToSave& tensor) { tensor.offset = 1; }, [](TensorToSave& tensor) { tensor.offset = INT64_MAX; },
           [](TensorToSave& tensor) { tensor.offset = -1; },
           [](TensorToSave& tensor) {
             tensor.strides = {4, 1};
           },
           [](TensorToSave& tensor) {
             tensor.strides = {-3, 1};
           },
           [](TensorToSave& tensor) {
             tensor.shape = {INT64_MAX, INT64_MAX};
           },
           [](TensorToSave& tensor) { tensor.elements = 7; }, [](TensorToSave& tensor) { tensor.bytes.pop_back(); },
           [](TensorToSave& tensor) { tensor.strides = {1}; },
           [](TensorToSave& tensor) { tensor.storage_class = "size"; }}) {
    TensorToSave tensor = Matrix("a");
    change(tensor);
    EXPECT_EQ(StatusOf(tensor).code(), kInvalid);
  }
}

TEST(TorchArchiveTest, TensorsThatUnfoldIntoMuchMoreThanTheFileAreRefused) {
  TensorToSave repeated = Matrix("a");
  repeated.strides = {0, 0};
  EXPECT_OK(StatusOf(repeated));
  repeated.shape = {1 << 20, 1 << 20};
  EXPECT_THAT(StatusOf(repeated), FailsWith(kInvalid, "TORCH_ARCHIVE_INVALID"));
  repeated.shape = {1 << 30, 1 << 30};  // 2^62 bytes
  EXPECT_THAT(StatusOf(repeated), FailsWith(kInvalid, "TORCH_ARCHIVE_INVALID"));
}

TEST(TorchArchiveTest, NothingButAStateDictIsRead) {
  const auto with_pickle = [](const std::string& pickle) {
    return ParseTorchArchive(StoredZip({{"archive/data.pkl", pickle}})).status();
  };
  // os.system("true"), as a pickle would call it.
  const absl::Status status = with_pickle(
      "\x80\x02"
      "cos\nsystem\nX\x04" +
      std::string(3, '\0') + "true\x85R.");
  EXPECT_THAT(status, FailsWith(kInvalid, "PICKLE_GLOBAL_REFUSED"));
  EXPECT_NE(std::string(status.message()).find("'os.system'"), std::string::npos) << status.message();
  EXPECT_THAT(with_pickle("\x80\x04\x8c\x02os\x8c\x06system\x93."), FailsWith(kInvalid, "PICKLE_GLOBAL_REFUSED"));
  EXPECT_THAT(with_pickle("\x80\x02}."), FailsWith(kInvalid, "PICKLE_NO_STATE_DICT"));
  EXPECT_THAT(with_pickle("\x80\x02K\x07."), FailsWith(kInvalid, "PICKLE_NO_STATE_DICT"));
  for (const char* pickle : {"", "\x80\x02", "\x80\x02}", "R.", "(.", "t.", "s.", "u.", "Q.", "b.", "h\x07.", "]}s.",
                             "\x85.", "i.", "ctorch\n",
                             "X\xff\xff\xff\x7f"
                             "a."}) {
    EXPECT_THAT(with_pickle(pickle), FailsWith(kInvalid, "PICKLE_CORRUPT")) << pickle;
  }
}

TEST(TorchArchiveTest, APickleOfManyValuesDoesNotTakeMuchMemory) {
  // Lists; marks; one list kept again and again; one list recalled again and again.
  std::string recalls = "]q\x07";
  for (int i = 0; i < 1 << 21; ++i) recalls += "h\x07";
  for (const std::string& pickle :
       {std::string(1 << 22, ']'), std::string(1 << 22, '('), "]" + std::string(1 << 22, '\x94'), recalls}) {
    const absl::Status status = ReadStateDictPickle(pickle).status();
    EXPECT_THAT(status, FailsWith(kInvalid, "PICKLE_CORRUPT"));
    EXPECT_NE(std::string(status.message()).find(" too "), std::string::npos) << status.message();
  }
}

TEST(TorchArchiveTest, OtherFilesAreRefused) {
  EXPECT_THAT(ParseTorchArchive("").status(), FailsWith(kInvalid, "TORCH_ARCHIVE_INVALID"));
  EXPECT_THAT(ParseTorchArchive("\x80\x02\x8a\nl\xfc").status(), FailsWith(kInvalid, "TORCH_ARCHIVE_TOO_OLD"));
  EXPECT_THAT(ParseTorchArchive(StoredZip({{"a", "b"}})).status(), FailsWith(kInvalid, "TORCH_ARCHIVE_INVALID"));
  EXPECT_THAT(
      ParseTorchArchive(StoredZip({{"a/data.pkl", testing::PickleStateDict({Matrix("a")})}, {"a/byteorder", "big"}}))
          .status(),
      FailsWith(kInvalid, "TORCH_ARCHIVE_INVALID"));
}

TEST(ZipArchiveTest, EveryCutIsSeen) {
  const std::string zip = SaveStateDict({Matrix("a")});
  for (size_t kept = 0; kept < zip.size(); ++kept) EXPECT_FALSE(ParseZip(zip.substr(0, kept)).ok()) << kept;
  EXPECT_OK(ParseZip(zip));
}

TEST(ZipArchiveTest, AMemberTwiceAndACompressedMemberAreRefused) {
  EXPECT_THAT(ParseZip(StoredZip({{"a", "1"}, {"a", "2"}})).status(), FailsWith(kInvalid, "ZIP_CORRUPT"));
  std::string zip = StoredZip({{"a", "1"}});
  zip[zip.find("PK\x01\x02") + 10] = 8;  // the method: deflate
  EXPECT_THAT(ParseZip(zip).status(), FailsWith(kInvalid, "ZIP_COMPRESSED"));
}

}  // namespace
}  // namespace modelpatch::tensor
