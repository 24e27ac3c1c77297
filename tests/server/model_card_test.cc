#include "server/model_card.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <vector>

namespace modelpatch::server {
namespace {

using ::testing::DoubleEq;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

TEST(ModelCardTest, TellsWhatWasMixedAndMeasured) {
  CardContent content;
  content.model.set_name("models/clip");
  content.model.set_digest("abc");
  content.patch = "patches/digits@3";
  v1::MixtureTerm& term = *content.mixture.add_terms();
  term.set_checkpoint("checkpoints/digits");
  term.set_coefficient(0.45);
  v1::Checkpoint& checkpoint = content.checkpoints.emplace_back();
  checkpoint.set_name("checkpoints/digits");
  checkpoint.set_blob_digest("def");
  checkpoint.mutable_lineage()->mutable_fine_tune()->set_seed(7);
  v1::TaskAccuracy& accuracy = *checkpoint.add_accuracies();
  accuracy.set_task("tasks/digits");
  accuracy.set_accuracy(0.9456);
  accuracy.set_total(1000);
  v1::TaskAccuracy& measured = content.accuracies.emplace_back();
  measured.set_task("tasks/colors");
  measured.set_role(v1::TASK_ROLE_SUPPORTED);
  measured.set_split(v1::SPLIT_TEST);
  measured.set_accuracy(0.991);
  measured.set_total(5000);
  const std::string card = ModelCard(content, v1::EXPORT_LAYOUT_OPEN_CLIP, "1.2.3");
  EXPECT_THAT(card, HasSubstr("library_name: open_clip"));
  EXPECT_THAT(card, HasSubstr("modelpatch 1.2.3"));
  EXPECT_THAT(card, HasSubstr("`models/clip` (digest `abc`)"));
  EXPECT_THAT(card, HasSubstr("Patch `patches/digits@3`: θ"));
  EXPECT_THAT(card, HasSubstr("| `checkpoints/digits` | 0.45 | `def` |"));
  EXPECT_THAT(card, HasSubstr("- tasks/digits: 94.56 % of 1000 validation images"));
  EXPECT_THAT(card, HasSubstr("- tasks/colors (supported): 99.10 % of 5000 test images"));
  EXPECT_THAT(card, HasSubstr("\"seed\": \"7\""));
}

TEST(ModelCardTest, AModelAloneSaysThatNothingWasMixed) {
  EXPECT_THAT(ModelCard({}, v1::EXPORT_LAYOUT_UNSPECIFIED, "1"), HasSubstr("Nothing was mixed in"));
}

}  // namespace
}  // namespace modelpatch::server
