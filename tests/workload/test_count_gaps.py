"""costcalc.count against products worked out by hand, and what it must refuse."""

from __future__ import annotations

import sys

import pytest

from costcalc.base.errors import InputError, MissingExtraError
from costcalc.workload.count import attention_flops, count, grouped_flops, product_flops, uncounted


def torch_or_skip():
    return pytest.importorskip("torch", reason="needs torch: pip install costcalc[torch]")


class TestFormulas:
    def test_attention(self):
        # 2 sequences, 3 heads, 4 queries, 5 keys: scores of width 8, values of width 6
        assert attention_flops((2, 3, 4, 8), (2, 3, 5, 8), (2, 3, 5, 6)) == 2 * 2 * 3 * 4 * 5 * 14

    def test_products(self):
        assert product_flops((7, 3), (3, 5)) == 2 * 7 * 3 * 5
        assert product_flops((3,), (3,)) == 2 * 3
        assert grouped_flops((6, 3), (2, 3, 5)) == 2 * 6 * 3 * 5
        with pytest.raises(InputError, match="groups of columns"):
            grouped_flops((6, 3), (3, 5))

    @pytest.mark.parametrize("name", [
        "aten::mkldnn_rnn_layer", "aten::_cudnn_rnn", "aten::_lstm_mps", "aten::linalg_solve_ex",
        "aten::_addmm_activation", "aten::_pdist_forward", "aten::_euclidean_dist",
        "aten::_fft_r2c", "aten::_sparse_mm", "aten::_native_multi_head_attention",
        "aten::_cdist_forward",
        "torchvision::nms", "flash_attn::_flash_attn_forward",
    ])  # fmt: skip
    def test_what_is_refused(self, name):
        assert uncounted(name)

    @pytest.mark.parametrize("name", [
        "aten::relu", "aten::native_layer_norm", "aten::_softmax", "aten::embedding",
        "aten::_to_copy", "aten::_thnn_fused_lstm_cell", "aten::sum", "aten::max_pool2d",
        "aten::_convert_indices_from_coo_to_csr", "aten::linalg_vector_norm",
        "aten::dist", "prims::device_put",
    ])  # fmt: skip
    def test_what_multiplies_nothing(self, name):
        assert not uncounted(name)


def test_without_torch_the_error_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "torch", None)
    with pytest.raises(MissingExtraError, match=r'PyTorch: pip install "costcalc\[torch\]"'):
        count(object(), object())


@pytest.mark.frameworks
@pytest.mark.filterwarnings("ignore")
class TestModules:
    @pytest.fixture
    def torch(self):
        return torch_or_skip()

    @pytest.mark.parametrize("device", ["cpu", "meta"])
    def test_a_transformer_layer(self, torch, device):
        """10 tokens: 4 projections of 64², a feed-forward of 2·64·128, 4·s²·d of attention."""
        with torch.device(device):
            layer = torch.nn.TransformerEncoderLayer(64, 4, 128, batch_first=True)
        counted = count(layer, torch.zeros(3, 10, 64))
        assert counted.forward_flops == 2 * 10 * (4 * 64**2 + 2 * 64 * 128) + 4 * 10**2 * 64
        assert counted.samples == 3
        # 4·(64² + 64) + 64·128 + 128 + 128·64 + 64 + two norms of 2·64
        assert counted.parameters == 4 * (64**2 + 64) + 2 * 64 * 128 + 192 + 4 * 64

    def test_a_network_of_convolutions(self, torch):
        nn = torch.nn
        net = nn.Sequential(
            nn.Conv2d(3, 8, 3, stride=2, padding=1), nn.BatchNorm2d(8), nn.ReLU(),
            nn.Conv2d(8, 16, 3, padding=1, groups=4), nn.AdaptiveAvgPool2d(1), nn.Flatten(),
            nn.Linear(16, 10),
        )  # fmt: skip
        net.train()
        net[0].weight.requires_grad = False
        counted = count(net, torch.zeros(2, 3, 32, 32))
        first = 2 * 16 * 16 * 8 * 3 * 9
        second = 2 * 16 * 16 * 16 * (8 // 4) * 9
        assert counted.forward_flops == first + second + 2 * 16 * 10
        assert counted.parameters - counted.trainable_parameters == 8 * 3 * 9
        assert net.training
        assert float(net[1].running_mean.abs().sum()) == 0  # nothing was learnt on the way

    def test_the_example_says_how_many_samples(self, torch):
        linear = torch.nn.Linear(4, 5)
        assert count(linear, torch.zeros(6, 4)).forward_flops == 2 * 4 * 5
        assert count(linear, (torch.zeros(6, 4),), samples=3).forward_flops == 2 * 2 * 4 * 5
        assert count(linear, {"input": torch.zeros(6, 4)}).samples == 6

    @pytest.mark.parametrize("device", ["cpu", "meta"])
    @pytest.mark.parametrize(("kind", "gates"), [("LSTM", 4), ("GRU", 3), ("RNN", 1)])
    def test_recurrent_layers(self, torch, device, kind, gates):
        """10 steps of 16 to 32, then both ways: each gate takes the input and the state."""
        with torch.device(device):
            one = getattr(torch.nn, kind)(16, 32, batch_first=True)
            two = getattr(torch.nn, kind)(16, 32, num_layers=2, bidirectional=True)
        assert count(one, torch.randn(1, 10, 16)).forward_flops == 2 * 10 * gates * 32 * 48
        second = 2 * 10 * gates * 32 * (64 + 32)  # takes both directions of the first
        counted = count(two, torch.randn(10, 1, 16), samples=1).forward_flops
        assert counted == 2 * (2 * 10 * gates * 32 * 48 + second)

    @pytest.mark.parametrize("rows", [3, 40])  # beyond 25, PyTorch multiplies matrices inside
    def test_distances(self, torch, rows):
        class Distances(torch.nn.Module):
            def forward(self, x):
                return torch.cdist(x, x)

        assert count(Distances(), torch.randn(1, rows, 5)).forward_flops == 2 * rows * rows * 5

    def test_linear_algebra_is_refused_by_the_name_of_its_kernel(self, torch):
        class Fused(torch.nn.Module):
            def forward(self, x):
                return torch.linalg.solve(x @ x, x)

        with pytest.raises(InputError, match="aten::_linalg_solve_ex"):
            count(Fused(), torch.eye(4))

    def test_an_unknown_operator_is_refused_unless_vouched_for(self, torch):
        library = torch.library.Library("costcalc_test", "DEF")
        library.define("shuffle(Tensor x) -> Tensor")
        library.impl("shuffle", lambda x: x.flip(0), "CPU")

        class Custom(torch.nn.Module):
            def __init__(self):
                super().__init__()
                self.linear = torch.nn.Linear(4, 4)

            def forward(self, x):
                return torch.ops.costcalc_test.shuffle(self.linear(x))

        with pytest.raises(InputError, match="costcalc_test::shuffle"):
            count(Custom(), torch.zeros(2, 4))
        counted = count(Custom(), torch.zeros(2, 4), without_products=["costcalc_test::shuffle"])
        assert counted.forward_flops == 2 * 4 * 4

    def test_wrong_arguments(self, torch):
        with pytest.raises(InputError, match=r"model: expected a torch\.nn\.Module; got int"):
            count(1, torch.zeros(1))
        with pytest.raises(InputError, match="example: expected a tensor"):
            count(torch.nn.Linear(4, 4), torch.tensor(1.0))
        with pytest.raises(InputError, match="samples: expected 1 or more; got 0"):
            count(torch.nn.Linear(4, 4), torch.zeros(1, 4), samples=0)
