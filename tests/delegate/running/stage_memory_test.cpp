// Pieces that are needed at one time stand beside each other; others share bytes.

#include "delegate/running/stage_memory.h"

#include <gtest/gtest.h>
#include <string.h>

#include <algorithm>
#include <random>
#include <vector>

#include "tests/support/status_matchers.h"

namespace onepack {
namespace {

constexpr size_t kAlignment = StageMemory::kAlignment;
// So many bytes stand between the end of a piece and the next one.
constexpr size_t kPadding = Mapping::kReadablePadding;

size_t Padded(size_t size) { return (size + kPadding + kAlignment - 1) / kAlignment * kAlignment; }

struct Piece {
  size_t size, first, last;
  size_t number = 0;
};

class StageMemoryTest : public testing::Test {
 protected:
  Status Allocate(std::vector<Piece>& pieces) {
    memory_.Clear();
    for (Piece& piece : pieces) piece.number = memory_.Add(piece.size, piece.first, piece.last);
    return memory_.Allocate();
  }

  // Runs stages that fill a piece where it is needed first, and find it so wherever else it is.
  void ExpectKept(const std::vector<Piece>& pieces) {
    size_t stages = 0;
    for (const Piece& piece : pieces) stages = std::max(stages, piece.last + 1);
    for (size_t stage = 0; stage < stages; ++stage) {
      for (size_t i = 0; i < pieces.size(); ++i) {
        // With what may be read after it.
        const size_t size = pieces[i].size + kPadding;
        if (pieces[i].first == stage) memset(memory_[pieces[i].number], static_cast<int>(i), size);
      }
      for (size_t i = 0; i < pieces.size(); ++i) {
        if (stage < pieces[i].first || pieces[i].last < stage) continue;
        const uint8_t* bytes = memory_[pieces[i].number];
        const auto is_kept = [&](uint8_t byte) { return byte == static_cast<uint8_t>(i); };
        ASSERT_TRUE(std::all_of(bytes, bytes + pieces[i].size + kPadding, is_kept))
            << "piece " << i << " in stage " << stage;
      }
    }
  }

  StageMemory memory_;
};

TEST_F(StageMemoryTest, PiecesThatAreNeededAtOneTimeDoNotOverlap) {
  std::mt19937 random(1);
  const auto below = [&](size_t limit) { return static_cast<size_t>(random()) % limit; };
  for (int round = 0; round < 300; ++round) {
    const size_t stages = 1 + below(12);
    std::vector<Piece> pieces(1 + below(40));
    for (Piece& piece : pieces) {
      piece.size = below(4) == 0 ? below(3) : below(3000);
      piece.first = below(stages);
      piece.last = std::min(piece.first + below(4), stages - 1);
    }
    ASSERT_TRUE(IsOk(Allocate(pieces)));
    size_t all = 0, most = 0;
    for (size_t stage = 0; stage < stages; ++stage) {
      size_t now = 0;
      for (const Piece& piece : pieces) {
        if (piece.first <= stage && stage <= piece.last) now += Padded(piece.size);
      }
      most = std::max(most, now);
    }
    for (const Piece& piece : pieces) {
      all += Padded(piece.size);
      EXPECT_EQ(reinterpret_cast<uintptr_t>(memory_[piece.number]) % kAlignment, 0u);
    }
    EXPECT_GE(memory_.size(), most);
    EXPECT_LE(memory_.size(), all);
    ASSERT_NO_FATAL_FAILURE(ExpectKept(pieces)) << "round " << round;
  }
}

TEST_F(StageMemoryTest, InAChainEverySecondPieceIsAtOnePlace) {
  std::vector<Piece> chain;
  for (size_t stage = 0; stage < 10; ++stage) chain.push_back({1000, stage, stage + 1});
  ASSERT_TRUE(IsOk(Allocate(chain)));
  EXPECT_EQ(memory_.size(), 2 * Padded(1000));
  for (size_t i = 2; i < chain.size(); ++i) EXPECT_EQ(memory_[i], memory_[i - 2]);
}

TEST_F(StageMemoryTest, SmallPiecesShareTheBytesOfALargeOneThatIsNotNeededThen) {
  std::vector<Piece> pieces = {{100, 2, 3}, {1000, 0, 1}, {100, 2, 2}, {100, 3, 3}};
  ASSERT_TRUE(IsOk(Allocate(pieces)));
  EXPECT_EQ(memory_.size(), Padded(1000));
  ExpectKept(pieces);
}

TEST_F(StageMemoryTest, APieceThatIsNeededInOneStageOnlyIsInNoOthersWay) {
  std::vector<Piece> pieces;
  for (size_t stage = 0; stage < 5; ++stage) pieces.push_back({500, stage, stage});
  ASSERT_TRUE(IsOk(Allocate(pieces)));
  EXPECT_EQ(memory_.size(), Padded(500));
}

TEST_F(StageMemoryTest, AHoleThatIsLargeEnoughIsUsed) {
  // The second one ends before the last one begins.
  std::vector<Piece> pieces = {{4000, 0, 5}, {3000, 0, 1}, {2000, 0, 5}, {1000, 2, 5}};
  ASSERT_TRUE(IsOk(Allocate(pieces)));
  EXPECT_EQ(memory_.size(), Padded(4000) + Padded(3000) + Padded(2000));
  EXPECT_EQ(memory_[3], memory_[1]);
  ExpectKept(pieces);
}

TEST_F(StageMemoryTest, APieceWithoutBytesCanBeReadAfterItsEndToo) {
  std::vector<Piece> pieces = {{0, 0, 0}, {0, 0, 0}};
  ASSERT_TRUE(IsOk(Allocate(pieces)));
  EXPECT_EQ(memory_.size(), 2 * kAlignment);
  ExpectKept(pieces);
}

TEST_F(StageMemoryTest, GrowsAndKeepsItsBlockWhereLessIsAskedFor) {
  std::vector<Piece> small = {{1000, 0, 0}}, large = {{1000, 0, 1}, {100000, 1, 1}};
  ASSERT_TRUE(IsOk(Allocate(small)));
  EXPECT_EQ(memory_.size(), Padded(1000));
  ASSERT_TRUE(IsOk(Allocate(large)));
  ExpectKept(large);
  const uint8_t* block = std::min(memory_[0], memory_[1]);
  ASSERT_TRUE(IsOk(Allocate(small)));
  EXPECT_EQ(memory_[0], block);
  EXPECT_EQ(memory_.size(), Padded(1000));
  ASSERT_TRUE(IsOk(Allocate(large)));
  EXPECT_EQ(std::min(memory_[0], memory_[1]), block);
  ExpectKept(large);
}

TEST_F(StageMemoryTest, NothingIsAskedForWhereNothingIsNeeded) {
  std::vector<Piece> none;
  EXPECT_TRUE(IsOk(Allocate(none)));
  EXPECT_EQ(memory_.size(), 0u);
}

TEST_F(StageMemoryTest, MoreThanThereCanBeIsRefusedAndLessIsFineAfterwards) {
  const size_t half = SIZE_MAX / 2 + 1;
  for (const std::vector<size_t>& sizes : std::vector<std::vector<size_t>>{
           {SIZE_MAX}, {SIZE_MAX - kPadding}, {half, half}, {SIZE_MAX, SIZE_MAX, 100}}) {
    std::vector<Piece> pieces;
    for (const size_t size : sizes) pieces.push_back({size, 0, 0});
    EXPECT_TRUE(IsError(Allocate(pieces), StatusCode::kResourceExhausted));
    std::vector<Piece> fewer = {{100, 0, 1}, {200, 1, 1}};
    ASSERT_TRUE(IsOk(Allocate(fewer)));
    ExpectKept(fewer);
  }
}

}  // namespace
}  // namespace onepack
