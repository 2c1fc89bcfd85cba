import torch

from declaim.nn.attention import FrameAttention, alignment_mask
from declaim.nn.embeddings import StepEmbedding, places, sinusoid
from declaim.nn.transformer import ConvBlock, CrossBlock


def test_alignment_mask_is_a_band():
    mask = alignment_mask(6, 6, 2)
    for i in range(6):
        for j in range(6):
            assert bool(mask[i, j]) == (j - 2 <= i <= j + 2)


def test_cross_attention_sees_k_frames_and_no_further():
    torch.manual_seed(0)
    attention = FrameAttention(8, 2, reach=4, band=3)
    x, context = torch.randn(1, 20, 8), torch.randn(1, 20, 8, requires_grad=True)
    attention(x, context)[0, 10].sum().backward()
    touched = context.grad[0].abs().sum(-1) > 0
    assert touched.tolist() == [7 <= j <= 13 for j in range(20)]


def test_attention_equals_the_formula():
    torch.manual_seed(0)
    attention = FrameAttention(4, 1, reach=2, band=3).double()
    attention.bias.data.normal_()
    x, context = torch.randn(1, 9, 4).double(), torch.randn(1, 9, 4).double()
    q = attention.query(x)[0]
    k, v = attention.key_value(context)[0].chunk(2, -1)
    logits = q @ k.T / 2.0
    for i in range(9):
        for j in range(9):
            logits[i, j] += attention.bias[0, min(max(j - i, -2), 2) + 2] if abs(i - j) <= 3 else -torch.inf
    expected = attention.out(logits.softmax(-1) @ v)
    attention.mask = lambda frames: FrameAttention.mask(attention, frames).double()
    torch.testing.assert_close(attention(x, context)[0], expected)


def test_what_is_added_to_all_of_a_context_is_shared_by_all_frames():
    torch.manual_seed(0)
    attention = FrameAttention(8, 2, reach=2, band=3)
    torch.nn.init.normal_(attention.bias)
    x, context, added = torch.randn(3, 12, 8), torch.randn(3, 12, 8), torch.randn(3, 8)
    offered = attention(x, attention.offer(context)) + attention.shared(added)[:, None]
    torch.testing.assert_close(offered, attention(x, context + added[:, None]), atol=1e-5, rtol=1e-5)


def test_frames_that_are_asked_for_alone_are_what_they_are_among_all():
    torch.manual_seed(0)
    block = CrossBlock(8, 2, 3, reach=4).eval()
    for attention in (block.self_attention, block.cross_attention):
        torch.nn.init.normal_(attention.bias)
    x, context, added = torch.randn(2, 20, 8), torch.randn(2, 20, 8), torch.randn(2, 8)
    whole = block(x, context, added)
    torch.testing.assert_close(block(x, context, added, since=7), whole[:, 7:], atol=1e-5, rtol=1e-5)


def test_relative_places_do_not_depend_on_where_a_sequence_starts():
    torch.manual_seed(0)
    block = CrossBlock(8, 2, 3, reach=4).eval()
    for attention in (block.self_attention, block.cross_attention):
        torch.nn.init.normal_(attention.bias)
    x, context = torch.randn(1, 30, 8), torch.randn(1, 30, 8)
    moved = FrameAttention.forward(block.cross_attention, x[:, 5:], context[:, 5:])
    torch.testing.assert_close(moved[:, 4:], block.cross_attention(x, context)[:, 9:], atol=1e-5, rtol=1e-4)


def test_sinusoid_and_steps():
    embedded = sinusoid(torch.tensor([0.0, 1.0]), 8)
    assert embedded[0].tolist() == [0, 0, 0, 0, 1, 1, 1, 1]
    assert torch.equal(places(2, 8), embedded)
    torch.testing.assert_close(embedded[1, 0], torch.tensor(1.0).sin())
    steps = StepEmbedding(8, 20)
    assert not torch.allclose(steps(torch.tensor([0])), steps(torch.tensor([19])))


def test_conv_block_keeps_shape_and_starts_near_identity():
    block = ConvBlock(8).eval()
    x = torch.randn(2, 11, 8)
    assert block(x).shape == x.shape
    block.conv.weight.data.zero_()
    block.conv.bias.data.zero_()
    assert torch.equal(block(x), x)


def test_kept_mask_follows_new_weights():
    attention = FrameAttention(8, 2, reach=2, band=3).eval()
    x, context = torch.randn(1, 6, 8), torch.randn(1, 6, 8)
    with torch.no_grad():
        before = attention(x, context)
        attention.load_state_dict({**attention.state_dict(), "bias": torch.randn(2, 5)})
        after = attention(x, context)
        assert not torch.allclose(before, after)
    torch.testing.assert_close(attention(x, context).detach(), after)
