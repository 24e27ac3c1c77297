#include "server/model_card.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <vector>

namespace modelpatch::server {
namespace {

using ::testing::HasSubstr;

TEST(ModelCardTest, TellsWhatWasMixedAndMeasured) {
  v1::Model model;
  model.set_name("models/clip");
  model.set_digest("abc");
  v1::Mixture mixture;
  v1::MixtureTerm& term = *mixture.add_terms();
  term.set_checkpoint("checkpoints/digits");
  term.set_coefficient(0.45);
  v1::Checkpoint checkpoint;
  checkpoint.set_name("checkpoints/digits");
  checkpoint.set_blob_digest("def");
  checkpoint.mutable_lineage()->mutable_fine_tune()->set_seed(7);
  v1::TaskAccuracy& accuracy = *checkpoint.add_accuracies();
  accuracy.set_task("tasks/digits");
  accuracy.set_accuracy(0.9456);
  accuracy.set_total(1000);
  const std::string card =
      ModelCard(model, mixture, std::vector<v1::Checkpoint>{checkpoint}, v1::EXPORT_LAYOUT_OPEN_CLIP, "1.2.3");
  EXPECT_THAT(card, HasSubstr("library_name: open_clip"));
  EXPECT_THAT(card, HasSubstr("modelpatch 1.2.3"));
  EXPECT_THAT(card, HasSubstr("`models/clip` (digest `abc`)"));
  EXPECT_THAT(card, HasSubstr("| `checkpoints/digits` | 0.45 | `def` |"));
  EXPECT_THAT(card, HasSubstr("- tasks/digits: 94.56 % of 1000 validation images"));
  EXPECT_THAT(card, HasSubstr("\"seed\": \"7\""));
}

TEST(ModelCardTest, AModelAloneSaysThatNothingWasMixed) {
  EXPECT_THAT(ModelCard({}, {}, {}, v1::EXPORT_LAYOUT_UNSPECIFIED, "1"), HasSubstr("Nothing was mixed in"));
}

}  // namespace
}  // namespace modelpatch::server
