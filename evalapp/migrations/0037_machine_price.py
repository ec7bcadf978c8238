"""What an hour of training costs."""

import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('evalapp', '0036_contamination_decisions'),
    ]

    operations = [
        migrations.CreateModel(
            name='MachinePrice',
            fields=[
                ('id', models.BigAutoField(primary_key=True, serialize=False)),
                ('created_at', models.DateTimeField(auto_now_add=True)),
                ('hour_price', models.DecimalField(decimal_places=6, max_digits=13)),
                ('currency', models.CharField(max_length=3)),
                ('project', models.OneToOneField(on_delete=django.db.models.deletion.CASCADE, related_name='machine_price', to='evalapp.project')),
                ('set_by', models.ForeignKey(null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='+', to=settings.AUTH_USER_MODEL)),
            ],
            options={
                'constraints': [models.CheckConstraint(condition=models.Q(('hour_price__gte', 0)), name='machine_price_not_negative'), models.CheckConstraint(condition=models.Q(('currency__regex', '^[A-Z]{3}$')), name='machine_price_currency')],
            },
        ),
    ]
