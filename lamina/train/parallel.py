"""One or several processes that train together, and a network shared out among them.

accelerate says which process this is and where it computes, and wraps for DDP. FSDP2 is asked of torch itself:
accelerate has it on accelerators only, and then nobody without several of them could try it.
"""

import gc
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any, Literal
from warnings import catch_warnings, filterwarnings

import torch
from torch import Tensor, nn
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.fsdp import fully_shard
from torch.distributed.tensor import DTensor, distribute_tensor

from lamina.backbones.checkpoint import imported
from lamina.train.recipe import Recipe
from lamina.train.task import Learner


@contextmanager
def processes(device: Literal["auto", "cpu"]) -> Iterator[Any]:
    """An accelerate.Accelerator for this process, alone or one of those that torchrun or accelerate started.

    Raises:
        MissingExtra: the extra `models` is not installed.
    """
    yield imported("accelerate").Accelerator(cpu=device == "cpu")
    if torch.distributed.is_initialized():
        torch.distributed.barrier()
        gc.collect()  # what is wrapped for DDP holds on to the group, and would wait for it when the program ends
        torch.distributed.destroy_process_group()


def share_out(learner: Learner, recipe: Recipe, accelerator: Any) -> nn.Module:
    """The network on its device, the same for all processes or each with a part of it; `learner.network` is in it."""
    if accelerator.num_processes == 1:
        return learner.network.to(accelerator.device)
    if recipe.sharding == "ddp":
        return accelerator.prepare_model(learner.network)
    return _sharded(learner, accelerator)


def _sharded(learner: Learner, accelerator: Any) -> nn.Module:
    mesh = init_device_mesh(accelerator.device.type, (accelerator.num_processes,))
    for module in learner.network.modules():
        if isinstance(module, learner.blocks):
            fully_shard(module, mesh=mesh)
    # after a forward pass without gradients, too, parameters are to be found in parts
    fully_shard(learner.network, mesh=mesh, reshard_after_forward=True)
    return learner.network


def in_precision(network: nn.Module, recipe: Recipe, device: torch.device) -> Callable[..., Any]:
    """The network, computing as the recipe says whatever its parameters are held in."""

    def answer(*args: Any, **kwargs: Any) -> Any:
        with torch.autocast(device.type, torch.bfloat16, enabled=recipe.precision == "bf16"), catch_warnings():
            filterwarnings("ignore", "FSDP2-wrapped module")  # of changing answers in place, which is not done
            return network(*args, **kwargs)

    return answer


def unshared(network: nn.Module) -> AbstractContextManager:
    """Gradients of backward passes in here are told to nobody yet; with parameters shared out they always are."""
    wrapped = isinstance(network, nn.parallel.DistributedDataParallel)
    return network.no_sync() if wrapped else nullcontext()


def whole(tensor: Tensor) -> Tensor:
    """A tensor with all its parts, whoever has them, in the host's memory. Every process must ask."""
    everything = tensor.full_tensor() if isinstance(tensor, DTensor) else tensor
    return everything.detach().cpu()


@torch.no_grad()
def put(values: Tensor, into: Tensor) -> None:
    """The inverse of `whole`: each process takes the parts that are its own."""
    if isinstance(into, DTensor):
        values = distribute_tensor(values.to(into.device), into.device_mesh, into.placements)
    into.copy_(values)
